//! Frames: a length, a CRC32C and a JSON object.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use super::entry::Entry;

/// What a frame holds: an entry, or the mark of acknowledged outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    Entry(Entry),
    Mark {
        /// Outputs of entries up to this one are acknowledged.
        mark: u64,
    },
}

/// Bytes before a payload: its length and its CRC32C, both u32 little-endian.
pub(super) const HEADER: usize = 8;
/// A longer payload is a torn or foreign file.
pub(super) const PAYLOAD_MAX: usize = 16 << 20;

pub(super) fn frame(payload: &[u8], out: &mut Vec<u8>) {
    debug_assert!((1..=PAYLOAD_MAX).contains(&payload.len()));
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// The frame of a mark.
pub(super) fn frame_mark(mark: u64, out: &mut Vec<u8>) {
    frame(format!("{{\"mark\":{mark}}}").as_bytes(), out);
}

/// What was found where a frame should begin.
pub(super) enum Frame {
    Whole,
    End,
    Torn(&'static str),
}

pub(super) fn read_frame(reader: &mut impl Read, payload: &mut Vec<u8>) -> io::Result<Frame> {
    let mut header = [0; HEADER];
    match read_up_to(reader, &mut header)? {
        0 => return Ok(Frame::End),
        HEADER => {}
        _ => return Ok(Frame::Torn("the header of a frame is cut off")),
    }
    let (len, crc) = length_and_crc(header);
    if len == 0 || len > PAYLOAD_MAX {
        return Ok(Frame::Torn("a frame has an impossible length"));
    }
    payload.resize(len, 0);
    if read_up_to(reader, payload)? < payload.len() {
        return Ok(Frame::Torn("a frame is cut off"));
    }
    if crc32c::crc32c(payload) != crc {
        return Ok(Frame::Torn("a frame has the wrong CRC32C"));
    }
    Ok(Frame::Whole)
}

/// The highest mark among whole frames, wherever in the bytes they begin; 0: none.
pub(super) fn highest_mark(reader: &mut impl Read) -> io::Result<u64> {
    let mut window = vec![0; 1 << 16];
    let (mut kept, mut highest) = (0, 0);
    loop {
        let filled = kept + read_up_to(reader, &mut window[kept..])?;
        let found = (0..filled).filter_map(|start| mark_at(&window[start..filled])).max();
        highest = highest.max(found.unwrap_or(0));
        if filled < window.len() {
            return Ok(highest);
        }
        kept = HEADER + MARK_BYTES_MAX;
        window.copy_within(filled - kept.., 0);
    }
}

const MARK: &[u8] = b"{\"mark\":";
/// With the largest u64.
const MARK_BYTES_MAX: usize = MARK.len() + 20 + 1;

fn mark_at(bytes: &[u8]) -> Option<u64> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    if !rest.starts_with(MARK) {
        return None;
    }
    let (len, crc) = length_and_crc(*header);
    let payload = rest.get(..len).filter(|payload| crc32c::crc32c(payload) == crc)?;
    match serde_json::from_slice(payload) {
        Ok(Line::Mark { mark }) => Some(mark),
        _ => None,
    }
}

fn length_and_crc([a, b, c, d, e, f, g, h]: [u8; HEADER]) -> (usize, u32) {
    (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]))
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_wherever_they_begin_also_across_what_is_read_at_a_time() {
        assert_eq!(highest_mark(&mut &b""[..]).unwrap(), 0);
        for before in [0, 1, 100, (1 << 16) - 20, (1 << 16) - 1, 1 << 16, 200_000] {
            let mut bytes = vec![b'{'; before];
            frame_mark(u64::MAX, &mut bytes);
            assert_eq!(highest_mark(&mut &bytes[..]).unwrap(), u64::MAX, "after {before} bytes");
            frame_mark(7, &mut bytes);
            assert_eq!(highest_mark(&mut &bytes[..]).unwrap(), u64::MAX, "the highest counts");
            bytes[before + HEADER + MARK.len()] ^= 1;
            assert_eq!(highest_mark(&mut &bytes[..]).unwrap(), 7, "one with a wrong checksum is none");
        }
    }
}
