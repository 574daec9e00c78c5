"""How the layout network that comes along is made: synthetic pages, training, evaluation, ONNX export.

Runs from a checkout, `python -m training.train`; the installed package does not carry it.
"""
