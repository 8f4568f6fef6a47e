//! What is pushed: a few contents of all sizes, and images of them, so few that the clients collide.

use std::sync::LazyLock;

use artifact::{Algorithm, Digest, Hasher, Manifest};
use bytes::Bytes;
use serde_json::{Value, json};

/// How many contents there are.
const CONTENTS: usize = 24;
/// How many images there are.
pub(crate) const IMAGES: usize = 40;
/// In the index, in a slot, in a slot, in a file, in a file of several buffers.
pub(crate) const SIZES: [usize; 6] = [60, 900, 5_000, 40_000, 200_000, 1_500_000];

/// A content.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    pub(crate) digest: Digest,
}

/// An image of three contents.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) manifest: Manifest,
    pub(crate) contents: [usize; 3],
}

pub(crate) static GOODS: LazyLock<Vec<Content>> = LazyLock::new(|| {
    (0..CONTENTS)
        .map(|number| {
            let bytes = noise(number as u64 + 1, SIZES[number % SIZES.len()]);
            let digest = Hasher::hash(Algorithm::Sha256, &bytes).digest();
            Content { bytes, digest }
        })
        .collect()
});

pub(crate) static STOCK: LazyLock<Vec<Image>> = LazyLock::new(|| {
    (0..IMAGES)
        .map(|number| {
            let contents = [number, number * 7 + 3, number * 11 + 5].map(|n| n % CONTENTS);
            let named = contents.map(|content| descriptor(&GOODS[content]));
            let [config, layers @ ..] = named;
            let document = json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config,
                "layers": layers,
                "annotations": { "org.example.number": number.to_string() },
            });
            let bytes = document.to_string().into();
            let manifest = Manifest::parse(bytes, None, Algorithm::Sha256).unwrap();
            Image { manifest, contents }
        })
        .collect()
});

fn descriptor(content: &Content) -> Value {
    json!({
        "mediaType": "application/octet-stream",
        "digest": content.digest.to_string(),
        "size": content.bytes.len(),
    })
}

fn noise(seed: u64, length: usize) -> Bytes {
    let mut random = Random::new(seed);
    (0..length).map(|_| random.next() as u8).collect()
}

/// Returns the number of the image with a digest.
pub(crate) fn image_of(digest: &str) -> Option<usize> {
    STOCK
        .iter()
        .position(|image| image.manifest.digest().to_string() == digest)
}

/// Choices that a seed repeats.
///
/// Source: Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (2003).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 24
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}
