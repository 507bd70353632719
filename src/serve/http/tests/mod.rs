//! The server over real loopback sockets, with a model that says which revision it is.

mod client;
mod input_rules;
mod journey;
mod labels;
mod routes;
mod stand;
mod swap;
