"""Pictures become arrays: CIFAR archives, folders of pictures, class blocks, near-copies."""
