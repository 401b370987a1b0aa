//! Finding any of many byte strings in many bytes.
//!
//! # Why not a rolling hash at every byte?
//!
//! A needle of `L` bytes covers, wherever it lies, a word of 8 bytes whose position is a multiple of `L - 7` (or of less).
//! So the words at its first few offsets are registered, and the haystack is probed only at every `stride`-th position:
//! a multiplicative hash of the word, a filter, the words of its bucket, and a comparison of the whole needle. With needles
//! of 16 bytes that is one probe in 8 bytes.
//!
//! # What does it cost with many needles?
//!
//! The same: a probe reads one word of the filter, which is small enough to stay in a cache, and one in some hundred foreign
//! probes goes on to a bucket, which holds one word on average.

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
    /// Registered words in the order of their buckets.
    words: Vec<Registered>,
    /// Where each bucket begins in `words`; the last is their number.
    buckets: Vec<u32>,
    /// Three bits of one of these belong to each word: 16 bits a word, so that one probe in 150 of foreign bytes goes on.
    filter: Vec<u64>,
    /// By which a hash is shifted for its bucket, and for its place in the filter.
    shifts: (u32, u32),
}

/// A word at one of the first offsets of a needle.
#[derive(Clone, Copy)]
struct Registered {
    word: u64,
    needle: u32,
    offset: u32,
}

impl<'a> Scanner<'a> {
    /// Prepares to search for `needles`. One shorter than [`MIN_NEEDLE`] is never found.
    pub(crate) fn new(needles: Vec<&'a [u8]>) -> Scanner<'a> {
        let long = || needles.iter().enumerate().filter(|(_, needle)| needle.len() >= MIN_NEEDLE);
        let shortest = long().map(|(_, needle)| needle.len()).min().unwrap_or(MIN_NEEDLE);
        let stride = (shortest - WORD + 1).min(MAX_STRIDE);
        let registered = || {
            let offsets = long().flat_map(|(needle, bytes)| (0..stride).map(move |offset| (needle, bytes, offset)));
            offsets.map(|(needle, bytes, offset)| Registered {
                word: word_at(bytes, offset),
                needle: needle as u32,
                offset: offset as u32,
            })
        };
        let count = registered().count();
        let (buckets, places) = (count.next_power_of_two().max(2), (count / 4).next_power_of_two().max(2));
        let shifts = (64 - buckets.trailing_zeros(), 64 - places.trailing_zeros());
        // Counted, summed up, and then dealt out from the end of each bucket to its beginning, the last needle first.
        let (mut starts, mut filter) = (vec![0u32; buckets + 1], vec![0u64; places]);
        for Registered { word, .. } in registered() {
            let hash = hash_of(word);
            starts[(hash >> shifts.0) as usize] += 1;
            filter[(hash >> shifts.1) as usize] |= marks_of(hash);
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut words = vec![Registered { word: 0, needle: 0, offset: 0 }; count];
        for registered in registered().rev() {
            let start = &mut starts[(hash_of(registered.word) >> shifts.0) as usize];
            *start -= 1;
            words[*start as usize] = registered;
        }
        Scanner { needles, stride, words, buckets: starts, filter, shifts }
    }

    /// Calls `found` with the number and the position of each needle in `haystack`. Each occurrence is reported once.
    pub(crate) fn scan(&self, haystack: &[u8], mut found: impl FnMut(usize, usize)) {
        if self.words.is_empty() || haystack.len() < MIN_NEEDLE {
            return;
        }
        for position in (0..=haystack.len() - WORD).step_by(self.stride) {
            let word = word_at(haystack, position);
            let hash = hash_of(word);
            let marks = marks_of(hash);
            if self.filter[(hash >> self.shifts.1) as usize] & marks == marks {
                self.compare(haystack, position, word, &mut found);
            }
        }
    }

    #[cold]
    fn compare(&self, haystack: &[u8], position: usize, word: u64, found: &mut impl FnMut(usize, usize)) {
        let bucket = (hash_of(word) >> self.shifts.0) as usize;
        let bucket = self.buckets[bucket] as usize..self.buckets[bucket + 1] as usize;
        for registered in self.words[bucket].iter().filter(|registered| registered.word == word) {
            // The first probe inside a needle is at an offset below the stride: a later one would report it again.
            if let Some(start) = position.checked_sub(registered.offset as usize)
                && haystack[start..].starts_with(self.needles[registered.needle as usize])
            {
                found(registered.needle as usize, start);
            }
        }
    }
}

fn word_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("a word lies within the bytes"))
}

/// The upper bits are the well mixed ones.
fn hash_of(word: u64) -> u64 {
    (word ^ word >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The three bits of a word of the filter that a hash has.
fn marks_of(hash: u64) -> u64 {
    1 << (hash >> 26 & 63) | 1 << (hash >> 32 & 63) | 1 << (hash >> 38 & 63)
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
