"""Telemetry that programs send by OTLP."""
