//! Pictures: planar 4:2:0 (I420), eight bits a sample, no padding between rows or planes.

use gstreamer as gst;
use std::fmt;

/// Width and height of a picture in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PictureSize {
    width: u16,
    height: u16,
}

/// A size that the camera or a codec cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{width}x{height} is no picture size: width a multiple of 8 in 192..=3840, height a multiple of 2 in 96..=2160"
)]
pub struct SizeError {
    width: u32,
    height: u32,
}

impl PictureSize {
    /// A size whose rows need no padding in any plane, wide enough for the mark.
    ///
    /// # Errors
    /// When the width is no multiple of 8 in 192..=3840 or the height no multiple of 2 in 96..=2160.
    pub fn new(width: u32, height: u32) -> Result<PictureSize, SizeError> {
        let fits = width.is_multiple_of(8)
            && height.is_multiple_of(2)
            && (192..=3840).contains(&width)
            && (96..=2160).contains(&height);
        if !fits {
            return Err(SizeError { width, height });
        }
        Ok(PictureSize { width: width as u16, height: height as u16 })
    }

    /// Pixels in a row.
    pub fn width(self) -> usize {
        usize::from(self.width)
    }

    /// Rows.
    pub fn height(self) -> usize {
        usize::from(self.height)
    }

    /// Pixels, which is also the number of bytes of the luma plane.
    pub fn pixels(self) -> usize {
        self.width() * self.height()
    }

    /// Bytes of all three planes.
    pub fn bytes(self) -> usize {
        self.pixels() * 3 / 2
    }
}

impl fmt::Display for PictureSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A decoded picture in the decoder's own memory: no copy is made.
pub struct Picture {
    size: PictureSize,
    planes: gst::MappedBuffer<gst::buffer::Readable>,
}

impl Picture {
    /// The picture in a buffer, or `None` when the buffer is not of that size (a damaged key frame can change it).
    pub(crate) fn map(buffer: gst::Buffer, size: PictureSize) -> Option<Picture> {
        let planes = buffer.into_mapped_buffer_readable().ok()?;
        (planes.len() == size.bytes()).then_some(Picture { size, planes })
    }

    /// Its size.
    pub fn size(&self) -> PictureSize {
        self.size
    }

    /// The luma plane, row by row.
    pub fn luma(&self) -> &[u8] {
        &self.planes[..self.size.pixels()]
    }

    /// All three planes: luma, blue difference, red difference.
    pub fn planes(&self) -> &[u8] {
        &self.planes
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({})", self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_needs_padding_is_refused() {
        assert!(PictureSize::new(640, 360).is_ok());
        assert_eq!(PictureSize::new(644, 360), Err(SizeError { width: 644, height: 360 }));
        assert_eq!(PictureSize::new(640, 361), Err(SizeError { width: 640, height: 361 }));
        assert_eq!(PictureSize::new(0, 0), Err(SizeError { width: 0, height: 0 }));
    }
}
