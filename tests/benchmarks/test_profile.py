"""The profile adds up what the lanes of the device did, and nothing else."""

from benchmarks.profile import operations


def event(name, op, thread, duration):
    return {"ph": "X", "pid": 1, "tid": thread, "name": name, "dur": duration, "args": {"hlo_op": op} if op else {}}


def test_operations_add_up_by_name_over_the_threads_that_carry_them_out():
    named = [
        {"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "/host:CPU"}},
        {"ph": "M", "pid": 1, "tid": 1, "name": "thread_name", "args": {"name": "tf_XLAPjRtCpuClient/1"}},
        {"ph": "M", "pid": 1, "tid": 2, "name": "thread_name", "args": {"name": "python"}},
    ]
    events = [
        event("dot.12", "dot.12", 1, 10.0),
        event("dot.12", "dot.13.1", 1, 5.0),
        event("add_fusion", "add_fusion", 1, 2.0),
        event("dot.12", "dot.12", 2, 100.0),
        event("while.3", "while.3", 1, 17.0),  # of which the others are the body
        event("Execute", None, 1, 50.0),
    ]
    assert operations({"traceEvents": named + events}) == {"dot": (15.0, 2), "add_fusion": (2.0, 1)}


def test_on_a_gpu_kernels_count_by_their_own_names():
    named = [
        {"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "/device:GPU:0"}},
        {"ph": "M", "pid": 1, "tid": 1, "name": "thread_name", "args": {"name": "Stream #14(Compute,MemcpyD2D)"}},
    ]
    events = [event("loop_add_fusion_2", "command_buffer_4", 1, 3.0), event("nvjet_sm90", "command_buffer_4", 1, 4.0)]
    events += [event("loop_add_fusion_2", "command_buffer_4", 1, 2.0)]
    assert operations({"traceEvents": named + events}) == {"loop_add_fusion_2": (5.0, 2), "nvjet_sm90": (4.0, 1)}
