"""Models that are nobody's family here: a .tflite file or a torch module, priced op by op and in every runtime."""
