"""Used by train_voice.py: a voice in Piper's format, trained on the parameters of a synthesizer from Debian."""
