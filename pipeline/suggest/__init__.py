"""Suggestions: rules learned from what people merged and split, judged on the recording; never applied by itself."""
