//! Each parser of bytes that come from outside, with what it must keep whatever they are: it never panics;
//! what it takes is well formed; and what it took, written out again, is read as the same.
//!
//! The functions are called by the fuzz targets beside this file, and by `tests/parsers` over the corpora.

use std::{
    fmt::Display,
    fs,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use artifact::{
    Algorithm, Digest, DirectoryListing, Document, DocumentKey, EntryPath, Hasher, MANIFEST_MAX,
    Manifest, MediaType, Mode, NAME_MAX, NamespaceSettings, OciName, PackageName, RepositoryName,
    RepositorySettings, Scope, StageName, StageSettings, Tag, Threads, Timestamp, UploadId, User,
    UserName,
};
use artifact_proto::{
    auth::{self, Credentials, TokenKey, scope::Scopes},
    client, oci,
    oci::{
        endpoint::ROUTES,
        query::{self, BeginUpload, PAGE_MAX, PageQuery, Query, TAGS_MAX},
        range::{ChunkRange, ReadRange},
        route::{self, Route},
    },
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// What panics when a parser does not keep what it must.
pub type Parser = fn(&[u8]);

/// Every parser, by the name of its target and its corpus.
pub const PARSERS: &[(&str, Parser)] = &[
    ("challenges", challenges),
    ("configuration", configuration),
    ("credentials", credentials),
    ("digests", digests),
    ("headers", headers),
    ("layouts", layouts),
    ("listings", listings),
    ("manifests", manifests),
    ("names", names),
    ("queries", queries),
    ("ranges", ranges),
    ("routes", routes),
    ("tokens", tokens),
];

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// Parses a text; what is taken prints as it was.
fn exact<T: FromStr + Display>(text: &str) -> Option<T> {
    let parsed: T = text.parse().ok()?;
    assert_eq!(parsed.to_string(), text);
    Some(parsed)
}

/// Names: only their grammar is one, and none of them can leave a directory or break a line.
pub fn names(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let paths = [
        exact::<OciName>(text).is_some(),
        exact::<PackageName>(text).is_some(),
        exact::<RepositoryName>(text).is_some(),
    ];
    if paths.contains(&true) {
        assert!(text.len() <= NAME_MAX && !text.contains(".."), "{text:?}");
        assert!(text.split('/').all(|part| !part.is_empty()), "{text:?}");
    }
    let words = [
        exact::<Tag>(text).is_some(),
        exact::<UserName>(text).is_some(),
        exact::<StageName>(text).is_some(),
    ];
    if words.contains(&true) {
        assert!(
            !text.contains(['/', ':']) && !text.starts_with('.'),
            "{text:?}"
        );
    }
    if paths.contains(&true) || words.contains(&true) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/@+".contains(&byte);
        assert!(!text.is_empty() && text.bytes().all(plain), "{text:?}");
    }
    if let Ok(scope) = text.parse::<Scope>() {
        assert_eq!(scope.as_str(), text);
    }
    if let Ok(path) = text.parse::<EntryPath>() {
        assert_eq!(path.as_str(), text);
        let below = |part: &str| !matches!(part, "" | "." | "..");
        assert!(
            text.split('/').all(below) && !text.contains('\0'),
            "{text:?}"
        );
    }
    if let Some(media_type) = exact::<MediaType>(text) {
        assert!(
            HeaderValue::from_str(media_type.as_str()).is_ok(),
            "{text:?}"
        );
    }
}

/// Digests and ids: right to the letter.
pub fn digests(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Some(digest) = exact::<Digest>(text) {
        let (_, hex) = text.split_once(':').unwrap();
        let lower = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        assert!(hex.bytes().all(lower), "{text:?}");
        assert!(matches!(
            (digest.algorithm(), hex.len()),
            (Algorithm::Sha256, 64) | (Algorithm::Sha512, 128)
        ));
    }
    if exact::<UploadId>(text).is_some() {
        assert!(text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        assert_eq!(
            time.to_string().parse::<Timestamp>().ok(),
            Some(time),
            "{text:?}"
        );
    }
    if let Ok(key) = text.parse::<DocumentKey>() {
        assert_eq!(
            key.to_string().parse::<DocumentKey>().ok(),
            Some(key),
            "{text:?}"
        );
    }
}

/// Ranges: a chunk's is read back as it was meant; what cannot be read of a blob's is all of it.
pub fn ranges(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Some(chunk) = ChunkRange::parse(text) {
        assert!(chunk.length > 0, "{text:?}");
        let last = chunk.start + (chunk.length - 1);
        assert_eq!(
            ChunkRange::parse(&format!("{}-{last}", chunk.start)),
            Some(chunk)
        );
    }
    let read = ReadRange::parse(text);
    let written = match read {
        ReadRange::Bounded(first, last) => format!("bytes={first}-{last}"),
        ReadRange::From(first) => format!("bytes={first}-"),
        ReadRange::Last(count) => format!("bytes=-{count}"),
        _ => return,
    };
    assert_eq!(ReadRange::parse(&written), read, "{text:?}");
}

/// Manifests: kept to the byte, and of one meaning.
pub fn manifests(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let types = [
        None,
        Some(MediaType::OCI_MANIFEST),
        Some(MediaType::OCI_INDEX),
        Some("a/b"),
    ];
    for media_type in types {
        let beside = media_type.map(MediaType::literal);
        let Ok(manifest) = Manifest::parse(bytes.clone(), beside.as_ref(), Algorithm::Sha256)
        else {
            continue;
        };
        assert_eq!(manifest.bytes(), &bytes);
        assert!(bytes.len() <= MANIFEST_MAX);
        assert_eq!(
            manifest.digest(),
            Hasher::hash(Algorithm::Sha256, data).digest()
        );
        if let Some(beside) = &beside {
            assert_eq!(manifest.media_type(), beside);
        }
        // The type that was found is the one that it is read with.
        let again = Manifest::parse(
            bytes.clone(),
            Some(manifest.media_type()),
            Algorithm::Sha256,
        )
        .unwrap();
        assert_eq!(again.references(), manifest.references());
        assert_eq!(again.kind(), manifest.kind());
        assert_eq!(again.subject(), manifest.subject());
        let document: serde_json::Value = serde_json::from_slice(data).unwrap();
        assert!(
            document
                .get("manifests")
                .is_none_or(serde_json::Value::is_null)
                || document
                    .get("layers")
                    .is_none_or(serde_json::Value::is_null)
        );
    }
}

/// Routes: what is answered is declared, and written out plainly it is the same.
pub fn routes(data: &[u8]) {
    let Some(path) = text(data) else { return };
    for row in ROUTES {
        let Ok(parsed) = route::parse(&row.method, path) else {
            continue;
        };
        let declared = ROUTES
            .iter()
            .any(|row2| row2.method == row.method && row2.endpoint == parsed.endpoint());
        assert!(declared, "{} {path:?}", row.method);
        let plain = written(&parsed);
        assert_eq!(
            route::parse(&row.method, &plain).as_ref(),
            Ok(&parsed),
            "{path:?}"
        );
        // Two dots inside a tag are of its grammar, and lead nowhere.
        let leads = |part: &str| matches!(part, "." | "..");
        assert!(
            !plain.contains("//") && !plain.split('/').any(leads),
            "{path:?}"
        );
    }
}

fn written(route: &Route) -> String {
    match route {
        Route::Catalog => "/v2/_catalog".into(),
        Route::Tags(name) => format!("/v2/{name}/tags/list"),
        Route::BeginUpload(name) => format!("/v2/{name}/blobs/uploads/"),
        Route::CancelUpload(name, id)
        | Route::ContinueUpload(name, id)
        | Route::FinishUpload(name, id)
        | Route::UploadStatus(name, id) => format!("/v2/{name}/blobs/uploads/{id}"),
        Route::DeleteBlob(name, digest)
        | Route::ReadBlob(name, digest)
        | Route::StatBlob(name, digest) => {
            format!("/v2/{name}/blobs/{digest}")
        }
        Route::Referrers(name, digest) => format!("/v2/{name}/referrers/{digest}"),
        Route::DeleteManifest(name, reference)
        | Route::PutManifest(name, reference)
        | Route::ReadManifest(name, reference) => format!("/v2/{name}/manifests/{reference}"),
        _ => "/v2/".into(),
    }
}

/// Queries: bounded, and without a character that breaks a line.
pub fn queries(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Ok(query) = Query::parse(Some(text)) else {
        return;
    };
    for name in ["digest", "from", "last", "mount", "n", "scope", "tag"] {
        assert!(
            query
                .all(name)
                .all(|value| !value.contains(char::is_control)),
            "{text:?}"
        );
    }
    if let Ok(tags) = query::tags(&query) {
        assert!(tags.len() <= TAGS_MAX);
    }
    if let Ok(page) = PageQuery::read(&query) {
        assert!(page.limit.is_none_or(|limit| limit.get() <= PAGE_MAX));
    }
    if let Ok(begin) = BeginUpload::read(&query) {
        assert!(
            begin
                .digest
                .is_none_or(|digest| digest.algorithm() == begin.algorithm)
        );
    }
    if let Ok(digest) = query::finish_digest(&query) {
        assert!(query.all("digest").all(|value| value == digest.to_string()));
    }
    // Any answer will do: that there is one is what is asked.
    query::artifact_type(&query).ok();
    let scopes = Scopes::parse(query.all("scope"));
    let again: Vec<String> = scopes.iter().map(ToString::to_string).collect();
    assert!(again.len() <= auth::scope::SCOPES_MAX);
    assert_eq!(
        Scopes::parse(again.iter().map(String::as_str)),
        scopes,
        "{text:?}"
    );
}

/// Returns the lines of `data` that can be headers.
fn lines(data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts
            .next()
            .and_then(|name| HeaderName::from_bytes(name).ok());
        let value = parts
            .next()
            .and_then(|value| HeaderValue::from_bytes(value.trim_ascii()).ok());
        if let Some((name, value)) = name.zip(value) {
            headers.append(name, value);
        }
    }
    headers
}

/// Headers: a condition that is read is one that can be kept, and what it names is told again.
pub fn headers(data: &[u8]) {
    let headers = lines(data);
    let digest = Hasher::hash(Algorithm::Sha256, b"{}").digest();
    if let Some(artifact::Condition::Digests(digests)) = oci::fuzzing::read_condition(&headers) {
        let listed: Vec<String> = digests
            .iter()
            .map(|digest| format!("\"{digest}\""))
            .collect();
        let mut again = HeaderMap::new();
        if !listed.is_empty() {
            again.insert("if-match", listed.join(", ").parse().unwrap());
            let read = oci::fuzzing::read_condition(&again);
            assert_eq!(read, Some(artifact::Condition::Digests(digests)));
        }
    }
    let (known, _) = oci::fuzzing::read_validators(&headers, &digest);
    assert!(!known || headers.contains_key("if-none-match"));
}

/// Credentials: what is read has one name, and none is printed.
pub fn credentials(data: &[u8]) {
    let headers = lines(data);
    let read = Credentials::of(&headers);
    if let Credentials::Basic { user, .. } = &read {
        assert!(!user.is_empty() && !user.contains(':'));
    }
    if !headers.contains_key("authorization") {
        assert!(read == Credentials::None);
    }
    let name: OciName = "library/app".parse().unwrap();
    for authority in ["registry.example", "registry.example:5000", "docker.io"] {
        client::fuzzing::read_auth_file(data, authority, &name);
    }
}

/// Challenges of other registries: not more of them than words.
pub fn challenges(data: &[u8]) {
    assert!(client::fuzzing::read_challenges(data) <= data.len());
}

/// Tokens: none is one but that which was given out, to the letter.
pub fn tokens(data: &[u8]) {
    let (key, now) = (
        TokenKey::new([7; 32]),
        Timestamp::from_millis(1_767_225_600_000),
    );
    if let Some(text) = text(data) {
        assert!(!auth::fuzzing::is_token(text, &key, now), "{text:?}");
    }
    let scopes = Scopes::parse(["repository:a/b:pull,push registry:catalog:*"].into_iter());
    let sealed = auth::fuzzing::seal_token(&key, now, scopes);
    assert!(auth::fuzzing::is_token(&sealed, &key, now));
    let mut forged = sealed.clone().into_bytes();
    for edit in data.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % forged.len();
        forged[at] = edit[2];
    }
    if let Some(forged) = text(&forged).filter(|forged| *forged != sealed) {
        assert!(!auth::fuzzing::is_token(forged, &key, now), "{forged:?}");
    }
}

/// Configuration: what is read is written and read again as the same.
pub fn configuration(data: &[u8]) {
    let Some(text) = text(data) else { return };
    same::<RepositorySettings>(text);
    same::<NamespaceSettings>(text);
    same::<StageSettings>(text);
    same::<User>(text);
    same::<Mode>(text);
}

fn same<T: Document + PartialEq>(text: &str) {
    if let Ok(read) = T::from_body(text) {
        assert!(
            T::from_body(&read.to_body()).is_ok_and(|again| again == read),
            "{text:?}"
        );
    }
}

/// Listings of directories: one form for one directory, and every path stays below its root.
pub fn listings(data: &[u8]) {
    let Ok(listing) = DirectoryListing::parse(data) else {
        return;
    };
    assert_eq!(listing.to_bytes().unwrap(), data);
    for entry in listing.entries() {
        names(entry.path.as_str().as_bytes());
        assert!(entry.path.as_str().parse::<EntryPath>().is_ok());
    }
}

/// Layouts: whatever their documents say, they are listed or refused.
pub fn layouts(data: &[u8]) {
    let directory = tempfile::tempdir().unwrap();
    let mut documents = data.splitn(2, |byte| *byte == b'\n');
    for name in ["oci-layout", "index.json"] {
        let document = documents.next().unwrap_or_default();
        fs::write(directory.path().join(name), document).unwrap();
    }
    static THREADS: OnceLock<Arc<Threads>> = OnceLock::new();
    let spawn = Arc::clone(THREADS.get_or_init(|| Arc::new(Threads::new())));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let Ok(layout) = artifact::layout::OciLayout::open(spawn, directory.path()).await else {
            return;
        };
        let Ok(entries) = layout.entries().await else {
            return;
        };
        for entry in entries {
            let size = entry.descriptor.digest.to_string();
            digests(size.as_bytes());
        }
    });
}
