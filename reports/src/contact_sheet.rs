//! Pictures for people: what the camera saw, what the screen showed, and their difference.

use image::{ExtendedColorType, ImageEncoder, ImageError, codecs::png::PngEncoder};
use kernel::artifact::Picture;

pub(crate) const FILE: &str = "contact-sheet.png";
/// Pictures are shrunk by a whole factor to at most this width.
const MAX_WIDTH: u32 = 320;
/// Rows of the sheet.
const MAX_ROWS: usize = 12;
/// Pixels between pictures.
const GAP: u32 = 4;
/// Differences are small: they are shown this many times larger.
const GAIN: i32 = 4;

/// An RGB picture, 8 bits a channel.
pub(crate) struct Rgb {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pixels: Vec<u8>,
}

/// A sheet of rows sent | received | difference, in the order of time; none without a whole picture.
pub(crate) fn render(pictures: &[Picture]) -> Option<Result<Vec<u8>, ImageError>> {
    let rows: Vec<[Rgb; 3]> = spread(pictures, MAX_ROWS).into_iter().filter_map(row).collect();
    let width = rows.iter().map(|[sent, ..]| 3 * sent.width + 2 * GAP).max()?;
    let height = rows.iter().map(|[sent, ..]| sent.height + GAP).sum::<u32>() - GAP;
    let mut sheet = Rgb { width, height, pixels: vec![0x20; (width * height * 3) as usize] };
    let mut y = 0;
    for row in &rows {
        let mut x = 0;
        for picture in row {
            sheet.paste(picture, x, y);
            x += picture.width + GAP;
        }
        y += row[0].height + GAP;
    }
    Some(sheet.png())
}

/// At most `count` pictures, evenly spread over those that there are.
pub(crate) fn spread(pictures: &[Picture], count: usize) -> Vec<&Picture> {
    match pictures.len() {
        len if len <= count => pictures.iter().collect(),
        len => (0..count).map(|i| &pictures[i * (len - 1) / (count - 1).max(1)]).collect(),
    }
}

/// Sent, received and difference; none when a picture does not have the size that it claims.
pub(crate) fn row(picture: &Picture) -> Option<[Rgb; 3]> {
    let sent = Rgb::from_i420(&picture.sent, picture.width, picture.height)?;
    let received = Rgb::from_i420(&picture.received, picture.width, picture.height)?;
    let difference = sent.difference(&received);
    Some([sent, received, difference])
}

impl Rgb {
    /// Converts (BT.601, limited range) and shrinks by averaging.
    fn from_i420(i420: &[u8], width: u32, height: u32) -> Option<Rgb> {
        let (w, h) = (width as usize, height as usize);
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        if w == 0 || h == 0 || i420.len() != w * h + 2 * cw * ch {
            return None;
        }
        let (luma, chroma) = i420.split_at(w * h);
        let (u, v) = chroma.split_at(cw * ch);
        let factor = (width.div_ceil(MAX_WIDTH)) as usize;
        let (ow, oh) = (w / factor, h / factor);
        let mut pixels = Vec::with_capacity(ow * oh * 3);
        for y in 0..oh {
            for x in 0..ow {
                let (px, py) = (x * factor, y * factor);
                let at = (py / 2) * cw + px / 2;
                pixels.extend(rgb(mean(luma, w, px, py, factor), i32::from(u[at]), i32::from(v[at])));
            }
        }
        Some(Rgb { width: ow as u32, height: oh as u32, pixels })
    }

    fn difference(&self, other: &Rgb) -> Rgb {
        let apart = |(a, b): (&u8, &u8)| ((i32::from(*a) - i32::from(*b)).abs() * GAIN).min(255) as u8;
        let pixels = self.pixels.iter().zip(&other.pixels).map(apart).collect();
        Rgb { width: self.width, height: self.height, pixels }
    }

    fn paste(&mut self, picture: &Rgb, x: u32, y: u32) {
        let length = picture.width as usize * 3;
        for (line, pixels) in picture.pixels.chunks_exact(length).enumerate() {
            let at = ((y as usize + line) * self.width as usize + x as usize) * 3;
            self.pixels[at..at + length].copy_from_slice(pixels);
        }
    }

    pub(crate) fn png(&self) -> Result<Vec<u8>, ImageError> {
        let mut png = Vec::new();
        PngEncoder::new(&mut png).write_image(&self.pixels, self.width, self.height, ExtendedColorType::Rgb8)?;
        Ok(png)
    }
}

fn mean(luma: &[u8], width: usize, x: usize, y: usize, factor: usize) -> i32 {
    let line =
        |row: usize| luma[row * width + x..row * width + x + factor].iter().map(|value| i32::from(*value)).sum::<i32>();
    (y..y + factor).map(line).sum::<i32>() / (factor * factor) as i32
}

fn rgb(y: i32, u: i32, v: i32) -> [u8; 3] {
    let (c, d, e) = (298 * (y - 16), u - 128, v - 128);
    [c + 409 * e, c - 100 * d - 208 * e, c + 516 * d].map(|channel| ((channel + 128) >> 8).clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_black_and_red_keep_their_colour() {
        assert_eq!(rgb(235, 128, 128), [255, 255, 255]);
        assert_eq!(rgb(16, 128, 128), [0, 0, 0]);
        let [r, g, b] = rgb(81, 90, 240);
        assert!(r > 250 && g < 5 && b < 5, "{r} {g} {b}");
    }

    #[test]
    fn a_picture_of_another_size_than_it_claims_is_left_out() {
        assert!(Rgb::from_i420(&[0; 10], 640, 360).is_none());
        assert!(Rgb::from_i420(&[], 0, 0).is_none());
        assert!(Rgb::from_i420(&[128; 5 * 3 + 2 * 3 * 2], 5, 3).is_some());
    }
}
