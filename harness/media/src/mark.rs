//! The mark in each picture: who sent it and which frame it is, readable after any codec that leaves a picture at all.
//!
//! 48 cells in one strip along the top edge, most significant bit first: 8 bits sender, 24 bits frame number, 16 bits
//! CRC (CRC-16/CCITT-FALSE over the four bytes before). Cells are bright or dark but textured: flat cells did not
//! survive VP9 at low rates.

use crate::picture::PictureSize;
use kernel::event::Mark;

const CELLS: usize = 48;
/// Frame numbers are 24 bits wide and wrap.
pub const FRAME_MASK: u32 = 0xFF_FFFF;
/// Between the mean of a dark cell (about 50) and of a bright one (about 200).
const THRESHOLD: u32 = 125;
const BRIGHT: i32 = 200;
const DARK: i32 = 50;

/// How many rows from the top belong to the mark. Measures of picture quality leave them out.
pub fn rows(size: PictureSize) -> usize {
    (size.width() / 40).clamp(8, size.height() / 4) & !1
}

/// The textured strips from which cells are copied.
pub(crate) struct Strips {
    bright: Vec<u8>,
    dark: Vec<u8>,
}

impl Strips {
    /// Strips whose texture at (x, y) is what `texture` gives, around zero.
    pub(crate) fn new(size: PictureSize, texture: impl Fn(usize, usize) -> i32) -> Strips {
        let strip = |base: i32| {
            let pixel = |i: usize| (base + texture(i % size.width(), i / size.width()) / 3).clamp(16, 235) as u8;
            (0..size.width() * rows(size)).map(pixel).collect()
        };
        Strips { bright: strip(BRIGHT), dark: strip(DARK) }
    }
}

/// Writes the mark into the first [`rows`] rows of a luma plane.
pub(crate) fn write(luma: &mut [u8], size: PictureSize, strips: &Strips, mark: Mark) {
    let word = encode(mark);
    for (y, row) in luma.chunks_exact_mut(size.width()).take(rows(size)).enumerate() {
        for cell in 0..CELLS {
            let bright = word >> (CELLS - 1 - cell) & 1 == 1;
            let strip = if bright { &strips.bright } else { &strips.dark };
            let (from, to) = columns(size, cell);
            row[from..to].copy_from_slice(&strip[y * size.width() + from..y * size.width() + to]);
        }
    }
}

/// Reads the mark of a luma plane; `None` when the check bits do not fit.
pub fn read(luma: &[u8], size: PictureSize) -> Option<Mark> {
    let rows = rows(size);
    let inner_rows = rows / 4..rows - rows / 4;
    let mut word = 0;
    for cell in 0..CELLS {
        let (from, to) = columns(size, cell);
        // The edges of a cell are blurred by its neighbours.
        let margin = (to - from) / 4;
        let (from, to) = (from + margin, to - margin);
        let sum: u32 = inner_rows
            .clone()
            .flat_map(|y| &luma[y * size.width() + from..y * size.width() + to])
            .map(|&p| u32::from(p))
            .sum();
        let area = (inner_rows.len() * (to - from)) as u32;
        word = word << 1 | u64::from(sum > THRESHOLD * area);
    }
    decode(word)
}

fn columns(size: PictureSize, cell: usize) -> (usize, usize) {
    (cell * size.width() / CELLS, (cell + 1) * size.width() / CELLS)
}

fn encode(mark: Mark) -> u64 {
    let content = u32::from(mark.sender) << 24 | mark.frame & FRAME_MASK;
    u64::from(content) << 16 | u64::from(crc16(content))
}

fn decode(word: u64) -> Option<Mark> {
    let content = (word >> 16) as u32;
    let fits = crc16(content) == word as u16;
    fits.then_some(Mark { sender: (content >> 24) as u8, frame: content & FRAME_MASK })
}

fn crc16(content: u32) -> u16 {
    let mut crc = 0xFFFF_u16;
    for byte in content.to_be_bytes() {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(sender: u8, frame in 0..=FRAME_MASK, width in 24_u32..=160) {
            let size = PictureSize::new(width * 8, 180).unwrap();
            let strips = Strips::new(size, |x, y| ((x * 7 + y * 13) % 61) as i32 - 30);
            let mut luma = vec![128; size.pixels()];
            write(&mut luma, size, &strips, Mark { sender, frame });
            prop_assert_eq!(read(&luma, size), Some(Mark { sender, frame }));
        }

        #[test]
        fn one_wrong_cell_is_no_mark(sender: u8, frame in 0..=FRAME_MASK, cell in 0..CELLS) {
            prop_assert_eq!(decode(encode(Mark { sender, frame }) ^ 1 << cell), None);
        }
    }

    #[test]
    fn a_grey_picture_has_no_mark() {
        let size = PictureSize::new(640, 360).unwrap();
        assert_eq!(read(&vec![128; size.pixels()], size), None);
        assert_eq!(read(&vec![0; size.pixels()], size), None);
    }

    #[test]
    fn the_check_is_crc16_ccitt_false() {
        // What `binascii.crc_hqx(b"1234", 0xffff)` of Python says.
        assert_eq!(crc16(u32::from_be_bytes(*b"1234")), 0x5349);
    }
}
