//! Picture quality: PSNR and SSIM of luma, as ffmpeg's filters `psnr` and `ssim` compute them.
//!
//! Both digits are functions of the two pictures alone on every machine: PSNR is counted in integers to the end, SSIM
//! uses the four basic operations of IEEE 754 only, in a fixed order.

use crate::{mark, picture::PictureSize};

/// PSNR of equal pictures, in thousandths of a decibel: the value that the log uses for infinity.
pub const EQUAL_MDB: u32 = 100_000;

/// How alike two pictures are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// Sum of the squared differences of luma.
    pub squared_error: u64,
    /// How many pixels were compared.
    pub pixels: u64,
    /// Mean structural similarity of luma: 1 for equal pictures.
    pub ssim: f64,
}

impl Likeness {
    /// PSNR of luma in thousandths of a decibel, rounded; [`EQUAL_MDB`] for equal pictures.
    pub fn psnr_y_mdb(&self) -> u32 {
        if self.squared_error == 0 {
            return EQUAL_MDB;
        }
        // 10 log10(255^2 pixels / error) dB, by a logarithm to base 2 with 40 fractional bits.
        let ratio = (u128::from(self.pixels * 255 * 255) << 64) / u128::from(self.squared_error);
        const MDB_PER_OCTAVE_E12: u128 = 3_010_299_956_639_812;
        let scaled = u128::from(log2_q40(ratio)) * (MDB_PER_OCTAVE_E12 / 1_000_000) / 1_000_000;
        ((scaled + (1 << 39)) >> 40) as u32
    }

    /// SSIM of luma in millionths, rounded; 0 when it is negative.
    pub fn ssim_y_ppm(&self) -> u32 {
        (self.ssim * 1_000_000.0 + 0.5) as u32
    }
}

/// Compares two luma planes below the mark.
///
/// # Panics
/// When a plane is not as long as the size asks for: the caller's bug.
pub fn compare(captured: &[u8], rendered: &[u8], size: PictureSize) -> Likeness {
    let skipped = mark::rows(size) * size.width();
    compare_planes(&captured[skipped..size.pixels()], &rendered[skipped..size.pixels()], size.width())
}

/// Compares two planes with rows of `width` pixels and at least 8 rows.
pub(crate) fn compare_planes(one: &[u8], other: &[u8], width: usize) -> Likeness {
    Likeness {
        squared_error: one
            .chunks_exact(width)
            .zip(other.chunks_exact(width))
            .map(|(one, other)| u64::from(squared_error_of_row(one, other)))
            .sum(),
        pixels: one.len() as u64,
        ssim: ssim(one, other, width),
    }
}

/// Below 2^32 for rows of up to 66,000 pixels; wrapping, since checks would keep it from being vectorized.
fn squared_error_of_row(one: &[u8], other: &[u8]) -> u32 {
    let squares = one.iter().zip(other).map(|(&a, &b)| {
        let difference = u32::from(a.abs_diff(b));
        difference.wrapping_mul(difference)
    });
    squares.fold(0, u32::wrapping_add)
}

/// Sums over a block of 4x4 pixels of the two pictures.
#[derive(Clone, Copy, Default)]
struct BlockSums {
    one: i32,
    other: i32,
    squares: i32,
    products: i32,
}

impl BlockSums {
    fn plus(self, more: BlockSums) -> BlockSums {
        BlockSums {
            one: self.one + more.one,
            other: self.other + more.other,
            squares: self.squares + more.squares,
            products: self.products + more.products,
        }
    }
}

/// Mean over windows of 8x8 pixels at steps of 4 (vf_ssim.c): each is four blocks of 4x4.
fn ssim(one: &[u8], other: &[u8], width: usize) -> f64 {
    let (columns, rows) = (width / 4, one.len() / width / 4);
    let mut sums = ColumnSums::new(width);
    let mut above = vec![BlockSums::default(); columns];
    let mut below = above.clone();
    let mut total = 0.0;
    for row in 0..rows {
        std::mem::swap(&mut above, &mut below);
        let pixels = row * 4 * width..(row + 1) * 4 * width;
        sums.sum_rows(&one[pixels.clone()], &other[pixels]);
        sums.fold_into(&mut below);
        if row > 0 {
            let windows = above.windows(2).zip(below.windows(2));
            let similarities = windows.map(|(a, b)| similarity(a[0].plus(a[1]).plus(b[0]).plus(b[1])));
            total += similarities.fold(0.0, |sum, similarity| sum + f64::from(similarity));
        }
    }
    total / ((rows - 1) * (columns - 1)) as f64
}

/// Sums over the four rows of a row of blocks, column by column: plain loops over one array each, which the compiler
/// turns into vector instructions where no overflow is checked. None can be: four squares of a byte are below 2^19.
struct ColumnSums {
    one: Vec<u16>,
    other: Vec<u16>,
    squares: Vec<u32>,
    products: Vec<u32>,
}

impl ColumnSums {
    fn new(width: usize) -> ColumnSums {
        ColumnSums { one: vec![0; width], other: vec![0; width], squares: vec![0; width], products: vec![0; width] }
    }

    fn sum_rows(&mut self, one: &[u8], other: &[u8]) {
        let width = self.one.len();
        self.one.fill(0);
        self.other.fill(0);
        self.squares.fill(0);
        self.products.fill(0);
        for (one, other) in one.chunks_exact(width).zip(other.chunks_exact(width)) {
            self.one.iter_mut().zip(one).for_each(|(sum, &a)| *sum = sum.wrapping_add(a.into()));
            self.other.iter_mut().zip(other).for_each(|(sum, &b)| *sum = sum.wrapping_add(b.into()));
            let pixels = || one.iter().zip(other).map(|(&a, &b)| (u32::from(a), u32::from(b)));
            let square = |a: u32| a.wrapping_mul(a);
            self.squares
                .iter_mut()
                .zip(pixels())
                .for_each(|(sum, (a, b))| *sum = sum.wrapping_add(square(a).wrapping_add(square(b))));
            self.products.iter_mut().zip(pixels()).for_each(|(sum, (a, b))| *sum = sum.wrapping_add(a.wrapping_mul(b)));
        }
    }

    fn fold_into(&self, blocks: &mut [BlockSums]) {
        for (i, block) in blocks.iter_mut().enumerate() {
            let columns = 4 * i..4 * i + 4;
            *block = BlockSums {
                one: self.one[columns.clone()].iter().map(|&sum| i32::from(sum)).sum(),
                other: self.other[columns.clone()].iter().map(|&sum| i32::from(sum)).sum(),
                squares: self.squares[columns.clone()].iter().sum::<u32>() as i32,
                products: self.products[columns].iter().sum::<u32>() as i32,
            };
        }
    }
}

/// Structural similarity of a window of 64 pixels, in single precision as ffmpeg has it.
fn similarity(window: BlockSums) -> f32 {
    // (0.01 x 255)^2 x 64 and (0.03 x 255)^2 x 64 x 63, rounded.
    const C1: i32 = 416;
    const C2: i32 = 235_963;
    let BlockSums { one, other, squares, products } = window;
    let variances = squares * 64 - one * one - other * other;
    let covariance = products * 64 - one * other;
    (2 * one * other + C1) as f32 * (2 * covariance + C2) as f32
        / ((one * one + other * other + C1) as f32 * (variances + C2) as f32)
}

/// The logarithm to base 2 of `value / 2^64`, which is at least 1, with 40 fractional bits.
fn log2_q40(value: u128) -> u64 {
    let whole = 127 - value.leading_zeros();
    // The mantissa in [1, 2) with 63 fractional bits; squaring it gives one more bit of the logarithm each time.
    let mut mantissa = if whole >= 63 { value >> (whole - 63) } else { value << (63 - whole) };
    let mut logarithm = u64::from(whole.saturating_sub(64));
    for _ in 0..40 {
        mantissa = (mantissa * mantissa) >> 63;
        let bit = (mantissa >> 64) as u64;
        mantissa >>= bit;
        logarithm = logarithm << 1 | bit;
    }
    logarithm
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;
    use proptest::prelude::*;
    use std::{fs, path::Path, process::Command};

    #[test]
    fn equal_pictures_are_equal() {
        let size = PictureSize::new(320, 180).unwrap();
        let mut luma = vec![0; size.pixels()];
        Scene::new(size, 0).fill_luma(3, &mut luma);
        let likeness = compare(&luma, &luma, size);
        assert_eq!((likeness.psnr_y_mdb(), likeness.ssim_y_ppm()), (EQUAL_MDB, 1_000_000));
    }

    #[test]
    fn the_mark_is_not_measured() {
        let size = PictureSize::new(320, 180).unwrap();
        let mut luma = vec![100; size.pixels()];
        let other = luma.clone();
        luma[..mark::rows(size) * size.width()].fill(200);
        assert_eq!(compare(&luma, &other, size).squared_error, 0);
        luma[mark::rows(size) * size.width()] = 101;
        assert_eq!(compare(&luma, &other, size).squared_error, 1);
    }

    proptest! {
        #[test]
        fn psnr_agrees_with_floating_point(squared_error in 1_u64..=65_025 * 230_400, pixels in 230_400_u64..=8_294_400) {
            let likeness = Likeness { squared_error, pixels, ssim: 0.0 };
            let exact = 10_000.0 * (65_025.0 * pixels as f64 / squared_error as f64).log10();
            prop_assert!((f64::from(likeness.psnr_y_mdb()) - exact).abs() <= 0.500_01, "{exact}");
        }
    }

    #[test]
    fn psnr_and_ssim_are_those_that_ffmpeg_gave_for_the_fixtures() {
        for pair in fixtures::likenesses().unwrap() {
            let ours = compare_planes(pair.captured, pair.rendered, pair.width);
            let psnr = 10.0 * (65_025.0 * ours.pixels as f64 / ours.squared_error as f64).log10();
            assert_eq!((format!("{psnr:.6}"), format!("{:.6}", ours.ssim)), (pair.psnr_y_db, pair.ssim_y));
        }
    }

    /// Distorts a picture by a pattern that exercises every magnitude of error.
    fn distorted(luma: &[u8], strength: usize) -> Vec<u8> {
        let offset = |i: usize| (i * i / 7 + i / 13) % (2 * strength + 1);
        luma.iter()
            .enumerate()
            .map(|(i, &p)| (usize::from(p) + offset(i)).saturating_sub(strength).min(255) as u8)
            .collect()
    }

    /// The Y values that ffmpeg's filter prints for two raw grey pictures: six digits.
    fn ffmpeg(filter: &str, field: &str, width: usize, height: usize, one: &Path, other: &Path) -> Option<String> {
        let size = format!("{width}x{height}");
        let raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size];
        let output = Command::new("ffmpeg")
            .arg("-hide_banner")
            .args(raw)
            .arg("-i")
            .arg(one)
            .args(raw)
            .arg("-i")
            .arg(other)
            .args(["-lavfi", filter, "-f", "null", "-"])
            .output()
            .ok()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = said.lines().rev().find(|line| line.contains(field)).unwrap_or_else(|| panic!("no {field}: {said}"));
        let value = line.split(field).nth(1)?.split_whitespace().next()?;
        Some(value.to_owned())
    }

    #[test]
    fn psnr_and_ssim_equal_those_of_ffmpeg_to_all_digits() {
        if Command::new("ffmpeg").arg("-version").output().is_err() {
            println!("SKIPPED: ffmpeg is not installed (Debian package ffmpeg)");
            return;
        }
        let folder = std::env::temp_dir().join(format!("callproof-probe-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (one_file, other_file) = (folder.join("one.yuv"), folder.join("other.yuv"));
        for (width, height, strength) in [(320, 180, 3), (640, 344, 12), (640, 360, 60), (192, 96, 1), (1280, 720, 25)]
        {
            let size = PictureSize::new(width, height).unwrap();
            let mut picture = vec![128; size.bytes()];
            Scene::new(size, 9).fill(31, &mut picture);
            fs::write(&one_file, &picture).unwrap();
            let luma = picture[..size.pixels()].to_vec();
            let other = distorted(&luma, strength);
            picture[..size.pixels()].copy_from_slice(&other);
            fs::write(&other_file, &picture).unwrap();
            let ours = compare_planes(&luma, &other, size.width());
            let says =
                |filter, field| ffmpeg(filter, field, size.width(), size.height(), &one_file, &other_file).unwrap();
            let psnr = 10.0 * (65_025.0 * ours.pixels as f64 / ours.squared_error as f64).log10();
            assert_eq!(format!("{psnr:.6}"), says("psnr", "PSNR y:"), "PSNR at {size}");
            assert_eq!(format!("{:.6}", ours.ssim), says("ssim", "SSIM Y:"), "SSIM at {size}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
