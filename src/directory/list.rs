//! What a kept directory holds.

use artifact_core::{
    Descriptor, DirectoryError, DirectoryListing, DirectoryRoot, LISTING_MAX, Manifest,
    ManifestRef, PartCheck, SpawnExt as _, listing_of,
};

use crate::transfer::{copy::Transfer, error::TransferError, place::Place};

impl Transfer {
    /// Reads the list of the entries of an artifact that is a directory.
    ///
    /// # Errors
    /// [`TransferError::NotADirectory`], [`TransferError::Directory`] when what is kept is wrong; else
    /// those of the place.
    pub async fn list_directory(
        &self,
        from: &Place,
        reference: &ManifestRef,
    ) -> Result<DirectoryListing, TransferError> {
        let root = from.manifest(reference).await?;
        self.listing(from, &root).await
    }

    /// Reads the list of entries, and checks that the manifests name what it says.
    pub(crate) async fn listing(
        &self,
        from: &Place,
        root: &Manifest,
    ) -> Result<DirectoryListing, TransferError> {
        let what = || format!("{from} {}", root.digest());
        let wrong = |source| TransferError::Directory {
            what: what(),
            source,
        };
        let parts = match DirectoryRoot::of(root) {
            Some(DirectoryRoot::One) => Vec::new(),
            Some(DirectoryRoot::Several(parts)) => parts,
            None => {
                let kind = root.artifact_type().map(ToString::to_string);
                return Err(TransferError::NotADirectory { what: what(), kind });
            }
        };
        let first = match parts.first() {
            Some(first) => part(from, first).await?,
            None => root.clone(),
        };
        let config = listing_of(&first).map_err(wrong)?;
        let bytes = from.read_blob(config, LISTING_MAX).await?;
        let parsing = self
            .spawn
            .run_blocking(move || DirectoryListing::parse(&bytes));
        let parsed = parsing.await.map_err(|_| TransferError::Unsupported {
            what: "the program is ending".to_owned(),
        })?;
        let listing = parsed.map_err(|error| wrong(error.into()))?;
        let mut check = PartCheck::new(&listing);
        if check.parts() != parts.len().max(1) {
            let part = check.parts().min(parts.len());
            return Err(wrong(DirectoryError::Part { part }));
        }
        check.check(&first).map_err(wrong)?;
        for next in parts.iter().skip(1) {
            check.check(&part(from, next).await?).map_err(wrong)?;
        }
        check.finish().map_err(wrong)?;
        Ok(listing)
    }
}

async fn part(from: &Place, part: &Descriptor) -> Result<Manifest, TransferError> {
    from.manifest(&ManifestRef::Digest(part.digest)).await
}
