//! The journal as its callers see it, on real files and on librdkafka's mock cluster.

mod checkpoints;
mod closing;
mod full_disk;
mod groups;
mod marks;
mod opening;
mod refusals;
mod support;
mod tails;
mod topic;
mod trimming;
