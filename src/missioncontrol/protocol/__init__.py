"""What is said over a connection, without sockets and without a clock."""
