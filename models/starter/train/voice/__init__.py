"""What train_voice.py trains: a voice in Piper's format, from the parameters of a synthesiser of Debian."""
