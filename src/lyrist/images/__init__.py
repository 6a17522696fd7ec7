"""Image data: CIFAR archives, folders of pictures, blocks of classes, near-duplicates."""
