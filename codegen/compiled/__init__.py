"""The style compiled: the plan of the other styles, what stands between its matrix products fused in C."""
