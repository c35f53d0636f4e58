"""Two folders of random images."""

from small.paired_folders import section as section
