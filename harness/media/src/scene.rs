//! The synthetic camera: somebody talking in front of a slowly panning, noisy background.
//!
//! Integers only, and almost only copies of rows that were computed before: about 0.1 ms a picture at 360p, small
//! beside any codec. A picture is a function of (size, sender, frame number): receivers regenerate the captured one
//! to compare theirs with it.

use crate::{mark, noise::Noise, picture::PictureSize};
use kernel::event::Mark;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// The background repeats after this many pixels.
const TEXTURE_WIDTH: usize = 1024;
/// Each row is shown in one of this many versions, chosen anew in each picture: temporal noise for the price of a copy.
const NOISE_VERSIONS: usize = 8;
/// Noise amplitude in eighths of a step, triangular.
const NOISE_EIGHTHS: i32 = 3;
/// Rows after which the pattern of the clothes repeats.
const CLOTH_ROWS: usize = 32;

/// A camera's view, ready to be filled into pictures.
pub struct Scene {
    size: PictureSize,
    sender: u8,
    background: Noisy,
    head: Noisy,
    /// Half the width of the head in each of its rows.
    head_half_width: Vec<usize>,
    cloth: Noisy,
    chroma: Vec<u8>,
    strips: mark::Strips,
    radius_x: usize,
    radius_y: usize,
}

/// Precomputed rows in [`NOISE_VERSIONS`] versions.
struct Noisy {
    stride: usize,
    versions: Vec<Vec<u8>>,
}

impl Scene {
    /// The scene of the participant with the number `sender`. Takes some 30 ms at 360p: see [`Scene::shared`].
    pub fn new(size: PictureSize, sender: u8) -> Scene {
        let mut noise = Noise::new(u64::from(sender) + 1);
        let texture = texture(size.height(), &mut noise);
        let at = |x: usize, y: usize| texture[y * TEXTURE_WIDTH + x % TEXTURE_WIDTH];
        let (radius_x, radius_y) = (size.width() * 14 / 100, size.height() * 30 / 100);
        let background =
            Noisy::new(TEXTURE_WIDTH + size.width(), size.height(), &mut noise, |x, y| (128 + at(x, y)).clamp(16, 235));
        let head =
            Noisy::new(2 * radius_x, 2 * radius_y, &mut noise, |x, y| head_luma(x, y, radius_x, radius_y, at(x, y)));
        let cloth = Noisy::new(radius_x * 36 / 10, CLOTH_ROWS, &mut noise, |x, y| 70 + ((x + y) % 8) as i32);
        Scene {
            size,
            sender,
            background,
            head,
            head_half_width: (0..2 * radius_y).map(|y| half_width(y, radius_x, radius_y)).collect(),
            cloth,
            chroma: chroma(size),
            strips: mark::Strips::new(size, at),
            radius_x,
            radius_y,
        }
    }

    /// The same as [`Scene::new`], shared by everybody in this process who holds it.
    pub fn shared(size: PictureSize, sender: u8) -> Arc<Scene> {
        static SCENES: Mutex<BTreeMap<(PictureSize, u8), Weak<Scene>>> = Mutex::new(BTreeMap::new());
        // A panic while the lock was held left the map whole: inserting is its only change.
        let mut scenes = SCENES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scene) = scenes.get(&(size, sender)).and_then(Weak::upgrade) {
            return scene;
        }
        scenes.retain(|_, scene| scene.strong_count() > 0);
        let scene = Arc::new(Scene::new(size, sender));
        scenes.insert((size, sender), Arc::downgrade(&scene));
        scene
    }

    /// The size of its pictures.
    pub fn size(&self) -> PictureSize {
        self.size
    }

    /// Number of the sender in the mark.
    pub fn sender(&self) -> u8 {
        self.sender
    }

    /// Fills all planes of picture `frame`. Every byte is written.
    ///
    /// # Panics
    /// When `picture` is not as long as the size asks for.
    pub fn fill(&self, frame: u32, picture: &mut [u8]) {
        assert_eq!(picture.len(), self.size.bytes(), "a picture of {}", self.size);
        let (luma, chroma) = picture.split_at_mut(self.size.pixels());
        self.fill_luma(frame, luma);
        self.fill_chroma(frame, chroma);
    }

    /// Fills the luma plane of picture `frame` only: what a comparison of luma needs.
    ///
    /// # Panics
    /// When `luma` is not as long as the size asks for.
    pub fn fill_luma(&self, frame: u32, luma: &mut [u8]) {
        assert_eq!(luma.len(), self.size.pixels(), "the luma of {}", self.size);
        let pose = self.pose(frame);
        let pan = frame as usize % TEXTURE_WIDTH;
        let mut noise = Noise::new(u64::from(self.sender) ^ u64::from(frame).wrapping_mul(0xD134_2543_DE82_EF95));
        for (y, row) in luma.chunks_exact_mut(self.size.width()).enumerate().skip(mark::rows(self.size)) {
            let version = noise.next() as usize;
            row.copy_from_slice(self.background.row(version, y, pan, row.len()));
            if y > pose.shoulders {
                let cloth = self.cloth.row(version >> 8, (y - pose.shoulders) % CLOTH_ROWS, 0, self.cloth.stride);
                let left = pose.x - self.cloth.stride / 2;
                row[left..left + cloth.len()].copy_from_slice(cloth);
            }
            if let Some(head_y) = y.checked_sub(pose.top)
                && let Some(&half) = self.head_half_width.get(head_y)
            {
                let head = self.head.row(version >> 16, head_y, self.radius_x - half, 2 * half);
                row[pose.x - half..pose.x + half].copy_from_slice(head);
            }
        }
        self.fill_mouth(frame, &pose, luma);
        let mark = Mark { sender: self.sender, frame: frame & mark::FRAME_MASK };
        mark::write(luma, self.size, &self.strips, mark);
    }

    fn fill_mouth(&self, frame: u32, pose: &Pose, luma: &mut [u8]) {
        let opening = (sine(frame.wrapping_mul(6_000)) + 32_768) as usize;
        let half_height = self.radius_y * 15 / 100 * opening / 65_535 + 1;
        let half_width = self.radius_x * 40 / 100;
        let middle = pose.top + self.radius_y + self.radius_y * 45 / 100;
        for y in middle + 1 - half_height..middle + half_height {
            luma[y * self.size.width() + pose.x - half_width..][..2 * half_width].fill(60);
        }
    }

    fn fill_chroma(&self, frame: u32, chroma: &mut [u8]) {
        chroma.copy_from_slice(&self.chroma);
        let pose = self.pose(frame);
        let (width, height) = (self.size.width() / 2, self.size.height() / 2);
        let (blue, red) = chroma.split_at_mut(width * height);
        for (y, half) in self.head_half_width.iter().enumerate().step_by(2) {
            let (half, row) = (half / 2, (pose.top + y) / 2);
            if row < height {
                let from = row * width + pose.x / 2 - half;
                blue[from..from + 2 * half].fill(110);
                red[from..from + 2 * half].fill(150);
            }
        }
        let mark = mark::rows(self.size) / 2 * width;
        blue[..mark].fill(128);
        red[..mark].fill(128);
    }

    fn pose(&self, frame: u32) -> Pose {
        let (width, height) = (self.size.width() as i32, self.size.height() as i32);
        let phase = frame.wrapping_mul(2_800);
        let x = width / 2 + sine(phase) * (width / 12) / 32_768;
        let y = height * 55 / 100 + sine(phase.wrapping_mul(2)) * (height / 40) / 32_768;
        let (x, y) = (x as usize, y as usize);
        Pose { x, top: y - self.radius_y, shoulders: y + self.radius_y * 80 / 100 }
    }
}

/// Where the head is.
struct Pose {
    x: usize,
    top: usize,
    shoulders: usize,
}

impl Noisy {
    fn new(stride: usize, rows: usize, noise: &mut Noise, luma: impl Fn(usize, usize) -> i32) -> Noisy {
        let clean: Vec<i32> = (0..stride * rows).map(|i| luma(i % stride, i / stride)).collect();
        let mut version = || clean.iter().map(|&value| noisy(value, noise)).collect();
        Noisy { stride, versions: (0..NOISE_VERSIONS).map(|_| version()).collect() }
    }

    fn row(&self, version: usize, y: usize, x: usize, len: usize) -> &[u8] {
        &self.versions[version % NOISE_VERSIONS][y * self.stride + x..][..len]
    }
}

fn noisy(value: i32, noise: &mut Noise) -> u8 {
    let byte = (noise.next() & 0xFF) as i32;
    (value + ((byte & 15) + (byte >> 4) - 15) * NOISE_EIGHTHS / 8).clamp(0, 255) as u8
}

/// Bilinear noise in three octaves, around zero, periodic in x.
fn texture(height: usize, noise: &mut Noise) -> Vec<i32> {
    let mut texture = vec![0; TEXTURE_WIDTH * height];
    for (cell, amplitude) in [(64, 60), (16, 24), (4, 12)] {
        let columns = TEXTURE_WIDTH / cell;
        let grid: Vec<i32> = (0..columns * (height / cell + 2)).map(|_| noise.below(256) as i32 - 128).collect();
        for (i, value) in texture.iter_mut().enumerate() {
            let (x, y) = (i % TEXTURE_WIDTH, i / TEXTURE_WIDTH);
            let at = |dx: usize, dy: usize| grid[(y / cell + dy) * columns + (x / cell + dx) % columns];
            let (fx, fy, edge) = ((x % cell) as i32, (y % cell) as i32, cell as i32);
            let upper = at(0, 0) * (edge - fx) + at(1, 0) * fx;
            let lower = at(0, 1) * (edge - fx) + at(1, 1) * fx;
            *value += (upper * (edge - fy) + lower * fy) / (edge * edge) * amplitude / 128;
        }
    }
    texture
}

fn head_luma(x: usize, y: usize, radius_x: usize, radius_y: usize, texture: i32) -> i32 {
    let (radius_x, radius_y) = (radius_x as i32, radius_y as i32);
    let (dx, dy) = (x as i32 - radius_x, y as i32 - radius_y);
    let in_eye = |side: i32| {
        let (ex, ey) = (dx - side * radius_x * 40 / 100, dy + radius_y * 25 / 100);
        ex * ex * 100 / (radius_x * radius_x / 40 + 1) + ey * ey * 100 / (radius_y * radius_y / 120 + 1) < 100
    };
    if in_eye(-1) || in_eye(1) {
        return 40;
    }
    let from_middle = dx * dx * 1_000 / (radius_x * radius_x) + dy * dy * 1_000 / (radius_y * radius_y);
    (170 - from_middle / 20 + texture / 8).clamp(0, 255)
}

/// Half the width of an ellipse in row `y`.
fn half_width(y: usize, radius_x: usize, radius_y: usize) -> usize {
    let dy = y.abs_diff(radius_y);
    let outside = dy * dy * 1_000 / (radius_y * radius_y);
    (0..radius_x).take_while(|x| x * x * 1_000 / (radius_x * radius_x) + outside < 1_000).count()
}

fn chroma(size: PictureSize) -> Vec<u8> {
    let (width, height) = (size.width() / 2, size.height() / 2);
    let blue = (0..width * height).map(|i| (118 + i / width * 20 / height) as u8);
    let red = (0..width * height).map(|i| (138 - i % width * 20 / width) as u8);
    blue.chain(red).collect()
}

/// A sine of period 65,536 and amplitude 32,767, by two parabolas (error below 0.1 %).
fn sine(phase: u32) -> i32 {
    let x = i64::from(phase & 0xFFFF) - 32_768;
    let y = 4 * x * (32_768 - x.abs()) / 32_768;
    let refined = y + 225 * (y * y.abs() / 32_768 - y) / 1_000;
    (-refined).clamp(-32_767, 32_767) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(scene: &Scene, frame: u32) -> Vec<u8> {
        let mut picture = vec![0; scene.size().bytes()];
        scene.fill(frame, &mut picture);
        picture
    }

    #[test]
    fn a_picture_is_a_function_of_sender_and_frame() {
        let size = PictureSize::new(640, 360).unwrap();
        let (alice, bob) = (Scene::new(size, 0), Scene::new(size, 1));
        assert_eq!(picture(&alice, 7), picture(&Scene::new(size, 0), 7));
        assert_ne!(picture(&alice, 7), picture(&alice, 8));
        assert_ne!(picture(&alice, 7), picture(&bob, 7));
    }

    #[test]
    fn every_size_can_be_filled_and_its_mark_read() {
        for (width, height) in [(192, 96), (320, 180), (640, 360), (1280, 720), (200, 400), (1920, 96)] {
            let size = PictureSize::new(width, height).unwrap();
            let scene = Scene::new(size, 200);
            for frame in [0, 1, 5, 17, 23, 1_000, u32::MAX] {
                let read = mark::read(&picture(&scene, frame), size);
                assert_eq!(read, Some(Mark { sender: 200, frame: frame & mark::FRAME_MASK }), "{size}");
            }
        }
    }

    #[test]
    fn every_byte_is_written() {
        let size = PictureSize::new(320, 180).unwrap();
        let scene = Scene::new(size, 3);
        let (mut dark, mut bright) = (vec![0; size.bytes()], vec![255; size.bytes()]);
        scene.fill(99, &mut dark);
        scene.fill(99, &mut bright);
        assert_eq!(dark, bright);
    }

    #[test]
    fn a_shared_scene_is_built_once() {
        let size = PictureSize::new(320, 180).unwrap();
        let one = Scene::shared(size, 41);
        assert!(Arc::ptr_eq(&one, &Scene::shared(size, 41)));
        assert!(!Arc::ptr_eq(&one, &Scene::shared(size, 42)));
    }
}
