"""How a step scales over devices, by simulation and on paper: state, collectives, a roofline."""
