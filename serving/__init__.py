"""The API: routes that translate, and the one module that wires them."""
