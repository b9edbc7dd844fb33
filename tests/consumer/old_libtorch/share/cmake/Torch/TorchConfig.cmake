# Stands for a LibTorch that is too old.
