//! What several tests of this room share.

/// SplitMix64 (Steele, Lea and Flood, 2014): a few lines in any language, so that golden numbers can be made elsewhere.
pub(super) struct SplitMix(pub(super) u64);

impl SplitMix {
    /// A number in `[0, 1)`, of 53 bits.
    pub(super) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
