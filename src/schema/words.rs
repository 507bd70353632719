//! Words as numbers: a hashed bag of words.

use xxhash_rust::xxh3::xxh3_64;

/// Numbers that a text becomes.
pub const TEXT_COLUMNS: usize = 64;

/// Writes the bag of words of `text`: each word, a run of letters and digits in lower case, adds or takes away one in the
/// bucket that its hash says, and the whole has length one, so that long texts weigh no more than short ones. A text
/// without words is all zeros.
///
/// The sign is part of the hash, so that words which meet in a bucket do not add up on average (Weinberger et al.,
/// "Feature hashing for large scale multitask learning", ICML 2009).
pub fn bag_of_words(text: &str, out: &mut [f32]) {
    out.fill(0.0);
    let mut lower = String::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        lower.clear();
        if word.is_ascii() {
            lower.push_str(word);
            lower.make_ascii_lowercase();
        } else {
            lower.extend(word.chars().flat_map(char::to_lowercase));
        }
        let hash = xxh3_64(lower.as_bytes());
        let bucket = (hash % out.len() as u64) as usize;
        out[bucket] += if hash >> 63 == 0 { 1.0 } else { -1.0 };
    }
    let length = out.iter().map(|count| count * count).sum::<f32>().sqrt();
    if length > 0.0 {
        out.iter_mut().for_each(|count| *count /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bag(text: &str) -> [f32; TEXT_COLUMNS] {
        let mut out = [f32::NAN; TEXT_COLUMNS];
        bag_of_words(text, &mut out);
        out
    }

    #[test]
    fn a_bag_knows_neither_order_nor_case_nor_punctuation_nor_length() {
        assert_eq!(bag("The cat, the hat!"), bag("THE hat — the CAT"));
        assert_eq!(bag("ÄRGER straße"), bag("straße ärger"));
        assert_eq!(bag("cat"), bag("cat cat cat"));
        assert_ne!(bag("cat"), bag("dog"));
    }

    #[test]
    fn its_length_is_one_and_without_words_zero() {
        let length = |text: &str| bag(text).iter().map(|v| v * v).sum::<f32>();
        assert!((length("one two three two") - 1.0).abs() < 1e-6);
        assert_eq!((length(""), length(" ... ")), (0.0, 0.0));
    }
}
