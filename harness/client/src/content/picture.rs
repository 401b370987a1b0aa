//! Pictures that leave a device: the picture alone, without what its camera wrote beside it.

use img_parts::{
    Bytes,
    jpeg::{Jpeg, markers},
};
use kernel::mutant;
use protocol::MAX_PICTURE_BYTES;

/// A JPEG file as it may leave: without EXIF (place, time, device), XMP, IPTC, colour profiles, comments and whatever else
/// an application may have put there. None for what is no JPEG file, or too large.
pub(crate) fn leaving(file: &[u8]) -> Option<Vec<u8>> {
    let mut jpeg = Jpeg::from_bytes(Bytes::copy_from_slice(file)).ok()?;
    let tells = |marker: u8| (markers::APP1..=markers::APP15).contains(&marker) || marker == markers::COM;
    // V116: it leaves as the camera took it.
    if !mutant!(V116) {
        jpeg.segments_mut().retain(|segment| !tells(segment.marker()));
    }
    let bytes = jpeg.encoder().bytes();
    (bytes.len() <= MAX_PICTURE_BYTES).then(|| bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photograph() -> &'static [u8] {
        fixtures::photograph().unwrap()
    }

    fn holds(bytes: &[u8], needle: &[u8]) -> bool {
        bytes.windows(needle.len()).any(|part| part == needle)
    }

    #[test]
    fn a_picture_leaves_without_what_its_camera_wrote() {
        let leaves = leaving(photograph()).unwrap();
        for told in [&b"Exif"[..], b"GPS", b"CP-000001", b"Pocket Camera", b"taken at home", b"adobe", b"2026:06"] {
            assert!(holds(photograph(), told) && !holds(&leaves, told), "{}", String::from_utf8_lossy(told));
        }
        // The picture itself, from the start of its scan on.
        let scan = |file: &[u8]| file.windows(2).position(|part| part == [0xff, 0xda]).map(|at| file[at..].to_vec());
        assert_eq!(scan(&leaves), scan(photograph()));
        assert_eq!(leaving(&leaves).unwrap(), leaves);
    }

    #[test]
    fn what_is_no_picture_or_too_large_does_not_leave() {
        assert_eq!(leaving(b"GIF89a"), None);
        let mut large = photograph().to_vec();
        let at = large.windows(2).position(|part| part == [0xff, 0xda]).unwrap() + 20;
        large.splice(at..at, std::iter::repeat_n(7, MAX_PICTURE_BYTES));
        assert_eq!(leaving(&large), None);
        let large = fixtures::photograph_of(MAX_PICTURE_BYTES).unwrap();
        assert!(leaving(&large).unwrap().len() > MAX_PICTURE_BYTES - 2_000);
    }
}
