"""What is measured on its own, and the pages made of it: one module, or one package, a piece."""
