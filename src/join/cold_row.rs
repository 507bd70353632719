//! A pending row as the bytes of one value in the store on disk: little-endian numbers at fixed places, then what has
//! a length, in the order of the lengths.

use super::chunk::Chunk;
use crate::schema::{Origin, Rows};

/// Bytes of what has the same length in every row.
const FIXED: usize = 92;

/// Bytes that [`encode`] appends for row `row` of a chunk.
pub(super) fn encoded_len(chunk: &Chunk, row: usize) -> u64 {
    let served = chunk.outputs * size_of::<f32>();
    (FIXED + chunk.rows.row_bytes() + served + chunk.ids.get(row).len() + chunk.keys.get(row).len()) as u64
}

/// Appends row `row` of a chunk, with all that a chunk of this row alone holds.
pub(super) fn encode(chunk: &Chunk, row: usize, bytes: &mut Vec<u8>) {
    let (numeric, categorical) = (chunk.rows.numeric_row(row), chunk.rows.categorical_row(row));
    let served = &chunk.served[row * chunk.outputs..(row + 1) * chunk.outputs];
    let (id, key) = (chunk.ids.get(row), chunk.keys.get(row));
    let origin = chunk.origins[row];
    // First, so that the age of a row can be told without decoding it.
    bytes.extend_from_slice(&chunk.time_ms.to_le_bytes());
    for number in [chunk.entry, chunk.revision, chunk.sequences[row], origin.offset as u64] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&chunk.id_hashes[row].to_le_bytes());
    bytes.extend_from_slice(&origin.partition.to_le_bytes());
    for float in [chunk.baseline.0, chunk.baseline.1, chunk.weights[row]] {
        bytes.extend_from_slice(&float.to_le_bytes());
    }
    for length in [numeric.len(), categorical.len(), served.len(), id.len(), key.len()] {
        bytes.extend_from_slice(&(length as u32).to_le_bytes());
    }
    numeric.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    categorical.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    served.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    bytes.extend_from_slice(id);
    bytes.extend_from_slice(key);
}

/// Time of the entry of a row.
pub(super) fn time_ms(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.first_chunk()?))
}

/// Makes `chunk` the chunk of this row alone, in the memory that it has; `None` when these are not the bytes of a row.
pub(super) fn decode(bytes: &[u8], chunk: &mut Chunk) -> Option<()> {
    let mut reader = Reader(bytes);
    chunk.time_ms = reader.u64()?;
    chunk.entry = reader.u64()?;
    chunk.revision = reader.u64()?;
    let sequence = reader.u64()?;
    let offset = reader.u64()? as i64;
    let id_hash = u128::from_le_bytes(reader.array()?);
    let partition = i32::from_le_bytes(reader.array()?);
    chunk.baseline = (reader.f32()?, reader.f32()?);
    let weight = reader.f32()?;
    let mut lengths = [0; 5];
    for length in &mut lengths {
        *length = u32::from_le_bytes(reader.array()?) as usize;
    }
    let [numeric, categorical, served, id, key] = lengths;
    let (numeric, categorical) = (reader.many(numeric)?, reader.many(categorical)?);
    let (served, id, key) = (reader.many(served)?, reader.take(id)?, reader.take(key)?);
    if !reader.0.is_empty() {
        return None;
    }

    clear(chunk, numeric.len(), categorical.len());
    for (value, bytes) in chunk.rows.numeric.iter_mut().zip(numeric) {
        *value = f32::from_le_bytes(*bytes);
    }
    for (value, bytes) in chunk.rows.categorical.iter_mut().zip(categorical) {
        *value = u64::from_le_bytes(*bytes);
    }
    chunk.sequences.push(sequence);
    chunk.ids.push(id);
    chunk.id_hashes.push(id_hash);
    chunk.keys.push(key);
    chunk.weights.push(weight);
    chunk.origins.push(Origin { partition, offset });
    chunk.outputs = served.len();
    chunk.served.extend(served.iter().map(|bytes| f32::from_le_bytes(*bytes)));
    Some(())
}

/// Empties all columns but the features, which become one row of the given widths, to be written over.
fn clear(chunk: &mut Chunk, numeric: usize, categorical: usize) {
    let rows = &chunk.rows;
    if (rows.len(), rows.numeric_width(), rows.categorical_width()) != (1, numeric, categorical) {
        chunk.rows = Rows::with_capacity(numeric, categorical, 1);
        chunk.rows.push(&vec![0.0; numeric], &vec![0; categorical]);
    }
    chunk.sequences.clear();
    chunk.ids.clear();
    chunk.id_hashes.clear();
    chunk.keys.clear();
    chunk.weights.clear();
    chunk.origins.clear();
    chunk.served.clear();
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn many<const N: usize>(&mut self, count: usize) -> Option<&'a [[u8; N]]> {
        Some(self.take(count.checked_mul(N)?)?.as_chunks().0)
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.array()?))
    }

    fn f32(&mut self) -> Option<f32> {
        Some(f32::from_le_bytes(self.array()?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::chunk;
    use super::*;

    #[test]
    fn a_row_comes_back_whole_into_memory_that_held_another() {
        let given = chunk(7, 3, 2, 900..905);
        let mut back = Chunk::default();
        for row in [4, 0, 2] {
            let mut bytes = Vec::new();
            encode(&given, row, &mut bytes);
            assert_eq!(time_ms(&bytes), Some(given.time_ms));
            assert_eq!(encoded_len(&given, row), bytes.len() as u64);
            decode(&bytes, &mut back).unwrap();

            let mut alone = given.emptied();
            alone.push_from(&given, row);
            assert_eq!(format!("{back:?}"), format!("{alone:?}"));
        }
        // Other widths, in the same memory.
        let wider = chunk(8, 1, 5, 0..1);
        let mut bytes = Vec::new();
        encode(&wider, 0, &mut bytes);
        decode(&bytes, &mut back).unwrap();
        assert_eq!(format!("{back:?}"), format!("{wider:?}"));
    }

    #[test]
    fn bytes_that_are_too_short_or_too_long_are_no_row() {
        let mut bytes = Vec::new();
        encode(&chunk(7, 3, 2, 0..1), 0, &mut bytes);
        let mut into = Chunk::default();
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length], &mut into), None, "{length}");
        }
        bytes.push(0);
        assert_eq!(decode(&bytes, &mut into), None);
    }
}
