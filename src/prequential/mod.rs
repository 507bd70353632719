//! Prequential evaluation: each row is predicted, then learned, and every prediction counts.
//!
//! A. P. Dawid, "Statistical theory: the prequential approach", Journal of the Royal Statistical Society A 147 (1984);
//! J. Gama, R. Sebastião and P. P. Rodrigues, "On evaluating stream learning algorithms", Machine Learning 90 (2013).
//! Pure: rows in, a [`Report`] out; who reads the file, measures time and prints is elsewhere.

mod judge;
mod plot;
mod protocol;
mod recovery;
mod report;
mod series;

pub use judge::Judge;
pub use plot::plot;
pub use protocol::{Labelled, Prequential, Protocol};
pub use recovery::Recovery;
pub use report::{Measured, Report};
pub use series::{Point, Series};
