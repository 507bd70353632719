//! The state machine and its recovery on random journals, with no broker and no clock.

mod blame;
mod machine;
mod reset;
mod stand;
