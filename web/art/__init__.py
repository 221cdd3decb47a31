"""The office's pictures, drawn by code: change a colour or a map here and run `make art`."""
