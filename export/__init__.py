"""From trained networks to an ONNX bundle, and the runtime that runs one."""
