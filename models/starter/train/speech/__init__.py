"""What the speech models of models/starter learn from: sentences, voices, synthesised speech, its augmentation."""
