"""What `tollstream doctor` looks at: each check answers findings, none raises, none changes anything."""
