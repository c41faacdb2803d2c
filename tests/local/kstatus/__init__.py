"""What kstatus, the library of Flux, cli-utils and others, makes of an object: by the library itself."""
