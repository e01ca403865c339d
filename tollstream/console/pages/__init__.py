"""The pages, a file for each entry of the navigation: what is asked, and what of it is shown to whom."""
