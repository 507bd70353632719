//! What waits, as tensors: for a checkpoint, and for the digest.

use super::chunk::Chunk;
use super::cold::ColdError;
use super::cold_row::encoded_len;
use super::pending::Join;
use super::spilled::Spilled;
use super::waiting::Waiting;
use crate::config::DedupeConfig;
use crate::schema::{Origin, Rows, Texts};
use crate::state::{StateError, TensorMap, mismatch, sized};

/// Where a saved state names the savepoint of the rows on disk.
const SAVEPOINT: &str = "cold/savepoint";

/// Why a saved state could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    State(#[from] StateError),
    /// The rows on disk that it names.
    #[error("cold/savepoint: {0}")]
    Cold(#[from] ColdError),
}

impl Join {
    /// The whole state: every row that waits in memory, and, where some are on disk, the savepoint that holds those.
    /// It is made here and synced, and stays until [`ColdRows::forget_savepoints_before`] lets go of it.
    ///
    /// [`ColdRows::forget_savepoints_before`]: super::ColdRows::forget_savepoints_before
    pub fn save(&self) -> TensorMap {
        let mut map = self.save_memory();
        if let Some(savepoint) = self.spilled.as_ref().and_then(Spilled::savepoint) {
            map.put_u64_one(SAVEPOINT, savepoint);
            map.put_u64_one("cold/rows", self.on_disk() as u64);
            map.put_bytes("cold/sum", self.sum.wrapping_sub(self.memory_sum()).to_le_bytes().to_vec());
        }
        map
    }

    /// The savepoint that a saved state names, under the prefix that it was nested under.
    pub fn savepoint_in(state: &TensorMap, prefix: &str) -> Option<u64> {
        state.u64_one(&format!("{prefix}/{SAVEPOINT}")).ok()
    }

    fn memory_sum(&self) -> u128 {
        let hashes =
            self.chunks.values().flat_map(|waiting| waiting.open_rows().map(|row| waiting.hashes[row]));
        hashes.fold(0, u128::wrapping_add)
    }

    fn save_memory(&self) -> TensorMap {
        let mut map = TensorMap::new();
        let chunks: Vec<&Waiting> = self.chunks.values().collect();
        let column = |get: &dyn Fn(&Chunk) -> u64| -> Vec<u64> {
            chunks.iter().map(|waiting| get(&waiting.chunk)).collect()
        };
        map.put_u64("chunk/entry", &column(&|chunk| chunk.entry));
        map.put_u64("chunk/time_ms", &column(&|chunk| chunk.time_ms));
        map.put_u64("chunk/revision", &column(&|chunk| chunk.revision));
        let baselines: Vec<f32> =
            chunks.iter().flat_map(|waiting| [waiting.chunk.baseline.0, waiting.chunk.baseline.1]).collect();
        map.put_f32("chunk/baseline", &baselines);
        map.put_u64("chunk/rows", &chunks.iter().map(|w| w.open_rows().count() as u64).collect::<Vec<_>>());

        let (mut all, widths) = match chunks.first() {
            Some(first) => (
                first.chunk.emptied(),
                (first.chunk.rows.numeric_width(), first.chunk.rows.categorical_width()),
            ),
            None => (Chunk::default(), (0, 0)),
        };
        for waiting in &chunks {
            for row in waiting.open_rows() {
                all.push_from(&waiting.chunk, row);
            }
        }
        map.put_u64("widths", &[widths.0 as u64, widths.1 as u64, all.outputs as u64]);
        map.put_u64("row/sequence", &all.sequences);
        map.put_f32("row/numeric", &all.rows.numeric);
        map.put_u64("row/categorical", &all.rows.categorical);
        put_texts(&mut map, "row/id", &all.ids);
        put_texts(&mut map, "row/key", &all.keys);
        map.put_bytes("row/id_hash", all.id_hashes.iter().flat_map(|id| id.to_le_bytes()).collect());
        map.put_f32("row/weight", &all.weights);
        let origins: Vec<i64> =
            all.origins.iter().flat_map(|origin| [i64::from(origin.partition), origin.offset]).collect();
        map.put_i64("row/origin", &origins);
        map.put_f32("row/served", &all.served);
        map.nest("early", self.early.save());
        map.nest("finished", self.finished.save());
        map
    }

    /// Takes over a saved state, as often as asked. On an error this join is as before, but for its rows on disk, which
    /// are gone.
    pub fn load(&mut self, state: &TensorMap) -> Result<(), LoadError> {
        let mut loaded = Self::new(&self.config, &DedupeConfig { ids_max: self.finished.ids_max() });
        loaded.early.load(&state.under("early"))?;
        loaded.finished.load(&state.under("finished"))?;
        let chunks = load_chunks(state)?;
        loaded.spilled =
            self.spilled.as_ref().map(|spilled| Spilled::new(spilled.shared(), self.config.rows_max));
        loaded.load_spilled(state)?;

        let mut scratch = Vec::new();
        for chunk in chunks {
            let mut waiting = Waiting::new(chunk);
            for row in 0..waiting.chunk.len() {
                let hash = waiting.chunk.row_hash(row, &mut scratch);
                waiting.open(row, hash);
                loaded.sum = loaded.sum.wrapping_add(hash);
                loaded.bytes += encoded_len(&waiting.chunk, row);
            }
            loaded.keep(waiting);
        }
        *self = loaded;
        Ok(())
    }

    /// Brings the rows on disk back, and verifies that they are those that were there.
    fn load_spilled(&mut self, state: &TensorMap) -> Result<(), LoadError> {
        let savepoint = state.get(SAVEPOINT).is_ok().then(|| state.u64_one(SAVEPOINT)).transpose()?;
        let Some(spilled) = &mut self.spilled else {
            return savepoint.map_or(Ok(()), |id| Err(ColdError::NoStore { id }.into()));
        };
        let mut scratch = Vec::new();
        let mut bytes = 0;
        let restored = spilled.restore(savepoint, |row| {
            bytes += encoded_len(row, 0);
            row.row_hash(0, &mut scratch)
        })?;
        if let Some(id) = savepoint {
            let expected = (state.u64_one("cold/rows")?, state.bytes("cold/sum")?);
            let sum = restored.sum.to_le_bytes();
            if expected != (spilled.len() as u64, sum.as_slice()) {
                let found = format!("{} rows with the sum {sum:02x?}", spilled.len());
                let expected = format!("{} rows with the sum {:02x?}", expected.0, expected.1);
                return Err(ColdError::OtherRows { place: spilled.place(), id, found, expected }.into());
            }
        }
        (self.sum, self.bytes) = (restored.sum, bytes);
        self.next_chunk = restored.next_chunk;
        Ok(())
    }

    /// What the digest covers: sums over the waiting rows, kept as they come and go, so that millions cost nothing.
    pub fn digest_state(&self) -> TensorMap {
        let mut map = TensorMap::new();
        map.put_u64_one("pending", self.pending() as u64);
        map.put_bytes("pending_sum", self.sum.to_le_bytes().to_vec());
        map.put_u64_one("early", self.early_labels() as u64);
        map.put_bytes("early_sum", self.early.sum.to_le_bytes().to_vec());
        map.put_u64_one("finished", self.finished_ids() as u64);
        map.put_bytes("finished_sum", self.finished.sum.to_le_bytes().to_vec());
        map
    }
}

/// The chunks in memory, with their waiting rows only.
fn load_chunks(state: &TensorMap) -> Result<Vec<Chunk>, StateError> {
    let all = load_rows(state)?;
    let counts = state.u64s("chunk/rows")?;
    let entries = sized(state.u64s("chunk/entry")?, counts.len(), "chunk/entry")?;
    let times = sized(state.u64s("chunk/time_ms")?, counts.len(), "chunk/time_ms")?;
    let revisions = sized(state.u64s("chunk/revision")?, counts.len(), "chunk/revision")?;
    let baselines = sized(state.f32s("chunk/baseline")?, 2 * counts.len(), "chunk/baseline")?;
    let total = counts.iter().fold(0_u64, |total, count| total.saturating_add(*count));
    if total != all.len() as u64 {
        return Err(mismatch("chunk/rows", format!("{total} rows"), format!("{} rows", all.len())));
    }
    let mut next = 0;
    let chunks = counts.iter().enumerate().map(|(index, count)| {
        let mut chunk = all.emptied();
        chunk.entry = entries[index];
        chunk.time_ms = times[index];
        chunk.revision = revisions[index];
        chunk.baseline = (baselines[2 * index], baselines[2 * index + 1]);
        for row in next..next + *count as usize {
            chunk.push_from(&all, row);
        }
        next += *count as usize;
        chunk
    });
    Ok(chunks.collect())
}

/// The rows of all chunks, one after another.
fn load_rows(state: &TensorMap) -> Result<Chunk, StateError> {
    let widths = sized(state.u64s("widths")?, 3, "widths")?;
    let [numeric_width, categorical_width, outputs] = [0, 1, 2].map(|place| widths[place] as usize);
    let (ids, _) = state.bytes("row/id_hash")?.as_chunks::<16>();
    let id_hashes: Vec<u128> = ids.iter().map(|id| u128::from_le_bytes(*id)).collect();
    let count = id_hashes.len();
    let numeric = sized(state.f32s("row/numeric")?, count * numeric_width, "row/numeric")?;
    let categorical = sized(state.u64s("row/categorical")?, count * categorical_width, "row/categorical")?;
    let mut rows = Rows::with_capacity(numeric_width, categorical_width, count);
    for row in 0..count {
        rows.push(
            &numeric[row * numeric_width..(row + 1) * numeric_width],
            &categorical[row * categorical_width..(row + 1) * categorical_width],
        );
    }
    let origins = sized(state.i64s("row/origin")?, 2 * count, "row/origin")?;
    let origins = origins.chunks_exact(2);
    Ok(Chunk {
        rows,
        sequences: sized(state.u64s("row/sequence")?, count, "row/sequence")?,
        ids: texts(state, "row/id", count)?,
        keys: texts(state, "row/key", count)?,
        id_hashes,
        weights: sized(state.f32s("row/weight")?, count, "row/weight")?,
        origins: origins.map(|pair| Origin { partition: pair[0] as i32, offset: pair[1] }).collect(),
        outputs,
        served: sized(state.f32s("row/served")?, count * outputs, "row/served")?,
        ..Chunk::default()
    })
}

fn put_texts(map: &mut TensorMap, path: &str, texts: &Texts) {
    let lengths: Vec<u64> = texts.iter().map(|text| text.len() as u64).collect();
    map.put_u64(format!("{path}/lengths"), &lengths);
    map.put_bytes(format!("{path}/bytes"), texts.iter().flatten().copied().collect());
}

fn texts(state: &TensorMap, path: &str, count: usize) -> Result<Texts, StateError> {
    let bytes = state.bytes(&format!("{path}/bytes"))?;
    let lengths = sized(state.u64s(&format!("{path}/lengths"))?, count, path)?;
    let mut texts = Texts::default();
    let mut rest = bytes;
    for length in lengths {
        let split = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
        let Some((text, after)) = split else {
            return Err(mismatch(path, format!("{} bytes", bytes.len()), "as many as its lengths add up to"));
        };
        texts.push(text);
        rest = after;
    }
    Ok(texts)
}
