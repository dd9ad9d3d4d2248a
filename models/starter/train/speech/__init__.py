"""Training data of the speech models: sentences, voices, synthesized speech, augmentation."""
