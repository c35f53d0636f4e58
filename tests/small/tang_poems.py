"""A folder of short texts."""

from small.text_folder import section as section
