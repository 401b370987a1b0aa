//! Finding any of many byte strings in many bytes.
//!
//! # Why not a rolling hash at every byte?
//!
//! A needle of `L` bytes covers, wherever it lies, a word of 8 bytes whose position is a multiple of `L - 7` (or of less).
//! So the words at its first few offsets are registered, and the haystack is probed only at every `stride`-th position:
//! a multiplicative hash of the word, a bit filter, a binary search among the words, and a comparison of the whole
//! needle. With needles of 16 bytes that is one probe in 8 bytes.

/// Length of the words that are hashed.
const WORD: usize = 8;
/// Beyond 8 nothing is gained: the filter would grow faster than the probes shrink.
const MAX_STRIDE: usize = 8;

/// The shortest needle that can be searched, in bytes.
pub(crate) const MIN_NEEDLE: usize = WORD;

/// A set of byte strings that is ready to be searched for.
pub(crate) struct Scanner<'a> {
    needles: Vec<&'a [u8]>,
    stride: usize,
    /// (word, needle, offset of the word in the needle), sorted.
    words: Vec<(u64, u32, u32)>,
    filter: Vec<u64>,
    shift: u32,
}

impl<'a> Scanner<'a> {
    /// Prepares to search for `needles`. One shorter than [`MIN_NEEDLE`] is never found.
    pub(crate) fn new(needles: Vec<&'a [u8]>) -> Scanner<'a> {
        let long = || needles.iter().enumerate().filter(|(_, needle)| needle.len() >= MIN_NEEDLE);
        let shortest = long().map(|(_, needle)| needle.len()).min().unwrap_or(MIN_NEEDLE);
        let stride = (shortest - WORD + 1).min(MAX_STRIDE);
        let mut words: Vec<(u64, u32, u32)> = Vec::with_capacity(needles.len() * stride);
        for (index, needle) in long() {
            words.extend((0..stride).map(|offset| (word_at(needle, offset), index as u32, offset as u32)));
        }
        words.sort_unstable();
        // 32 bits a word: one probe in 32 of foreign bytes goes on to the search.
        let bits = (words.len() * 32).next_power_of_two().max(64);
        let shift = 64 - bits.trailing_zeros();
        let mut filter = vec![0u64; bits / 64];
        for (word, _, _) in &words {
            let bit = slot(*word, shift);
            filter[bit / 64] |= 1 << (bit % 64);
        }
        Scanner { needles, stride, words, filter, shift }
    }

    /// Calls `found` with the number and the position of each needle in `haystack`. Each occurrence is reported once.
    pub(crate) fn scan(&self, haystack: &[u8], mut found: impl FnMut(usize, usize)) {
        if self.words.is_empty() || haystack.len() < MIN_NEEDLE {
            return;
        }
        for position in (0..=haystack.len() - WORD).step_by(self.stride) {
            let word = word_at(haystack, position);
            let bit = slot(word, self.shift);
            if self.filter[bit / 64] & (1 << (bit % 64)) != 0 {
                self.compare(haystack, position, word, &mut found);
            }
        }
    }

    #[cold]
    fn compare(&self, haystack: &[u8], position: usize, word: u64, found: &mut impl FnMut(usize, usize)) {
        let first = self.words.partition_point(|(registered, _, _)| *registered < word);
        for (registered, needle, offset) in &self.words[first..] {
            if *registered != word {
                break;
            }
            // The first probe inside a needle is at an offset below the stride: a later one would report it again.
            if let Some(start) = position.checked_sub(*offset as usize)
                && haystack[start..].starts_with(self.needles[*needle as usize])
            {
                found(*needle as usize, start);
            }
        }
    }
}

fn word_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("a word lies within the bytes"))
}

fn slot(word: u64, shift: u32) -> usize {
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(needles: &[Vec<u8>], haystack: &[u8]) -> Vec<(usize, usize)> {
        let mut hits = Vec::new();
        for (index, needle) in needles.iter().enumerate() {
            for start in 0..haystack.len() {
                if needle.len() >= MIN_NEEDLE && haystack[start..].starts_with(needle) {
                    hits.push((index, start));
                }
            }
        }
        hits.sort_unstable();
        hits
    }

    fn scanned(needles: &[Vec<u8>], haystack: &[u8]) -> Vec<(usize, usize)> {
        let mut hits = Vec::new();
        Scanner::new(needles.iter().map(Vec::as_slice).collect())
            .scan(haystack, |needle, start| hits.push((needle, start)));
        hits.sort_unstable();
        hits
    }

    proptest! {
        /// Few byte values, so that words repeat and needles overlap; needles cut out of the haystack, so that they occur.
        #[test]
        fn the_scan_finds_what_a_naive_scan_finds(
            haystack in prop::collection::vec(0u8..3, 0..400),
            cuts in prop::collection::vec((0usize..400, 8usize..40), 0..8),
            strangers in prop::collection::vec(prop::collection::vec(0u8..3, 5..30), 0..4),
        ) {
            let mut needles: Vec<Vec<u8>> = strangers;
            for (start, len) in cuts {
                if start + len <= haystack.len() {
                    needles.push(haystack[start..start + len].to_vec());
                }
            }
            prop_assert_eq!(scanned(&needles, &haystack), naive(&needles, &haystack));
        }
    }

    #[test]
    fn a_needle_is_found_at_every_position() {
        let needle: Vec<u8> = (100..116).collect();
        for position in 0..40 {
            let mut haystack = vec![0; 60];
            haystack[position..position + 16].copy_from_slice(&needle);
            assert_eq!(scanned(std::slice::from_ref(&needle), &haystack), [(0, position)]);
        }
    }

    #[test]
    fn one_wrong_byte_is_no_hit() {
        let needle: Vec<u8> = (100..116).collect();
        for byte in 0..16 {
            let mut haystack = [vec![0; 5], needle.clone(), vec![0; 5]].concat();
            haystack[5 + byte] ^= 1;
            assert_eq!(scanned(std::slice::from_ref(&needle), &haystack), []);
        }
    }

    #[test]
    fn nothing_is_found_without_needles_or_bytes() {
        assert_eq!(scanned(&[], &[1; 100]), []);
        assert_eq!(scanned(&[vec![1; 8]], &[]), []);
    }
}
