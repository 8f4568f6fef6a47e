//! A small image that is pushed over HTTP, step by step, and what of it was acknowledged.

use std::io;

use super::{
    goods,
    wire::{self, Answer},
};
use crate::support::image::digest;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An image of two blobs.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    package: &'static str,
    config: Vec<u8>,
    layer: Vec<u8>,
    manifest: String,
}

/// How far a push came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pushed {
    /// Where the upload of the layer is, and how many of its bytes were acknowledged.
    pub(crate) upload: Option<(String, usize)>,
    /// The blobs that were.
    pub(crate) layer: bool,
    pub(crate) config: bool,
    pub(crate) manifest: bool,
}

/// How a push ends before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The connection broke.
    Broken,
    /// The server refused.
    Refused(Answer),
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

fn accept(answer: Answer) -> Result<Answer, Stop> {
    if answer.is_success() {
        Ok(answer)
    } else {
        Err(Stop::Refused(answer))
    }
}

impl Image {
    /// Returns the image that a number stands for.
    pub(crate) fn of(package: &'static str, number: u64, length: usize) -> Self {
        let (config, layer) = (
            goods::bytes(number * 2, 700),
            goods::bytes(number * 2 + 1, length),
        );
        let part = |kind: &str, bytes: &[u8]| {
            format!(
                r#"{{"mediaType":"application/vnd.example.{kind}","digest":"{}","size":{}}}"#,
                digest(bytes),
                bytes.len()
            )
        };
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}]}}"#,
            part("config", &config),
            part("layer", &layer)
        );
        Self {
            package,
            config,
            layer,
            manifest,
        }
    }

    /// Gives its manifest a note of so many bytes, which make the WAL of the index long.
    pub(crate) fn noted(mut self, length: usize) -> Self {
        let note = format!(r#","annotations":{{"note":"{}"}}}}"#, "x".repeat(length));
        self.manifest.truncate(self.manifest.len() - 1);
        self.manifest.push_str(&note);
        self
    }

    fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.package)
    }

    /// Pushes it with its layer in three chunks, going on where an earlier push ended; notes in `pushed` what
    /// is acknowledged.
    pub(crate) fn push(&self, host: &str, tag: &str, pushed: &mut Pushed) -> Result<(), Stop> {
        while !self.step(host, tag, pushed)? {}
        Ok(())
    }

    /// Takes the next step of a push; true after the last one.
    pub(crate) fn step(&self, host: &str, tag: &str, pushed: &mut Pushed) -> Result<bool, Stop> {
        if !pushed.layer {
            pushed.layer = self.has(host, &self.layer)? || self.step_layer(host, pushed)?;
        } else if !pushed.config {
            let post = self.path(&format!("blobs/uploads/?digest={}", digest(&self.config)));
            accept(wire::ask(host, ("POST", &post), "", &self.config)?)?;
            pushed.config = true;
        } else {
            let kind = format!("Content-Type: {MANIFEST}\r\n");
            let put = self.path(&format!("manifests/{tag}"));
            accept(wire::ask(
                host,
                ("PUT", &put),
                &kind,
                self.manifest.as_bytes(),
            )?)?;
            pushed.manifest = true;
        }
        Ok(pushed.manifest)
    }

    /// Sends the next third of the layer; true after the last one.
    fn step_layer(&self, host: &str, pushed: &mut Pushed) -> Result<bool, Stop> {
        let (place, from) = self.upload(host, pushed)?;
        let third = self.layer.len() / 3 + 1;
        if from + third < self.layer.len() {
            let to = from + third;
            let range = format!("Content-Range: {from}-{}\r\n", to - 1);
            let patch = wire::ask(host, ("PATCH", &place), &range, &self.layer[from..to])?;
            let offset = accept(patch)?.offset();
            pushed.upload = Some((place, offset));
            return Ok(false);
        }
        let put = format!("{place}?digest={}", digest(&self.layer));
        accept(wire::ask(host, ("PUT", &put), "", &self.layer[from..])?)?;
        Ok(true)
    }

    /// Goes on with the upload that there is, else begins one.
    fn upload(&self, host: &str, pushed: &mut Pushed) -> Result<(String, usize), Stop> {
        if let Some((place, acknowledged)) = pushed.upload.take() {
            let found = wire::ask(host, ("GET", &place), "", b"")?;
            if found.status == 204 {
                let from = found.offset();
                assert!(
                    acknowledged <= from && from <= self.layer.len(),
                    "{acknowledged} bytes were acknowledged, and {from} are there"
                );
                pushed.upload = Some((place.clone(), from));
                return Ok((place, from));
            }
            assert_eq!(found.status, 404, "{found:?}");
            assert_eq!(
                acknowledged, 0,
                "the upload is gone, which was acknowledged (I1)"
            );
        }
        let post = self.path("blobs/uploads/");
        let begun = accept(wire::ask(host, ("POST", &post), "", b"")?)?;
        let place = begun.header("location").unwrap().to_owned();
        pushed.upload = Some((place.clone(), 0));
        Ok((place, 0))
    }

    /// Checks that all that was acknowledged is there, and what was not is whole or not there.
    pub(crate) fn check(&self, host: &str, tag: &str, pushed: &Pushed) -> io::Result<()> {
        let blobs = [(&self.layer, pushed.layer), (&self.config, pushed.config)];
        for (bytes, acknowledged) in blobs {
            let is_there = self.has(host, bytes)?;
            assert!(
                is_there || !acknowledged,
                "a blob was acknowledged, and is unknown (I1)"
            );
        }
        let put = self.path(&format!("manifests/{tag}"));
        let found = wire::ask(host, ("GET", &put), "", b"")?;
        if found.status == 404 {
            assert!(
                !pushed.manifest,
                "a manifest was acknowledged, and is unknown (I1)"
            );
            return Ok(());
        }
        assert_eq!(
            (found.status, &*found.body),
            (200, self.manifest.as_bytes())
        );
        for bytes in [&self.layer, &self.config] {
            let path = self.path(&format!("blobs/{}", digest(bytes)));
            let blob = wire::ask(host, ("GET", &path), "", b"")?;
            assert!(
                blob.status == 200 && blob.body == *bytes,
                "the manifest dangles (I2)"
            );
        }
        Ok(())
    }

    fn has(&self, host: &str, bytes: &[u8]) -> io::Result<bool> {
        let path = self.path(&format!("blobs/{}", digest(bytes)));
        let found = wire::ask(host, ("GET", &path), "", b"")?;
        assert!([200, 404].contains(&found.status), "{found:?}");
        assert!(
            found.status == 404 || found.body == bytes,
            "a blob of other bytes (I3)"
        );
        Ok(found.status == 200)
    }
}
