//! Who asks, and who is told.

use std::time::Duration;

use artifact_core::ErrorKind;
use artifact_proto::client::{ClientError, OciClient};
use futures::TryStreamExt as _;

use crate::registry::{Registry, as_user, options, within_reason};

/// `ann` and `pw` as Basic writes them.
const ANN: &str = "Basic YW5uOnB3";

#[tokio::test]
async fn basic_is_sent_when_it_is_asked_for() {
    let registry = Registry::start().await;
    let digest = registry.hold(b"x");
    registry.tell(|script| {
        script.challenge = Some(r#"Basic realm="r""#.into());
        script.let_in = vec![ANN.into()];
    });
    let package = registry.package(as_user(registry.origin()));
    for _ in 0..2 {
        assert_eq!(package.stat_blob(&digest).await.unwrap(), Some(1));
    }
    let sent: Vec<_> = registry
        .seen()
        .into_iter()
        .map(|seen| seen.authorization)
        .collect();
    assert_eq!(sent, [None, Some(ANN.into()), Some(ANN.into())]);
}

#[tokio::test]
async fn a_token_is_fetched_once() {
    let registry = Registry::start().await;
    let digest = registry.hold(b"x");
    registry.tell(|script| {
        script.challenge = Some(format!(
            r#"Bearer realm="{}/token",service="s",scope="repository:team/app:pull""#,
            registry.origin()
        ));
        script.token = Some(r#"{"token":"t","expires_in":300}"#);
        script.let_in = vec!["Bearer t".into()];
    });
    let package = registry.package(as_user(registry.origin()));
    for _ in 0..3 {
        assert_eq!(package.stat_blob(&digest).await.unwrap(), Some(1));
    }
    let seen = registry.seen();
    assert_eq!(seen.len(), 5);
    let token = seen
        .iter()
        .find(|seen| seen.target.starts_with("/token"))
        .unwrap();
    assert_eq!(token.authorization.as_deref(), Some(ANN));
    assert_eq!(
        token.target,
        "/token?service=s&scope=repository%3Ateam%2Fapp%3Apull&client_id=artifact"
    );
    assert!(
        seen.iter()
            .filter(|s| !s.target.starts_with("/token"))
            .all(|s| s.authorization.as_deref() != Some(ANN))
    );
}

/// I23: a token service that says nothing is not waited for without end.
#[tokio::test]
async fn i23_a_token_service_that_says_nothing_is_given_up() {
    let registry = Registry::start().await;
    let digest = registry.hold(b"x");
    registry.tell(|script| {
        script.challenge = Some(format!(r#"Bearer realm="{}/token""#, registry.origin()));
        script.silent_token = true;
    });
    let mut options = options();
    (options.retries, options.idle_timeout) = (0, Duration::from_millis(200));
    let package = registry.package(options);
    let error = within_reason(package.stat_blob(&digest)).await;
    assert!(
        matches!(error, Err(ClientError::Timeout { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn without_credentials_it_says_what_to_do() {
    let registry = Registry::start().await;
    registry.tell(|script| script.challenge = Some("Basic realm=r".into()));
    let client = OciClient::new(options()).unwrap();
    let error = client.ping(&registry.origin()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("log in"), "{error}");
    // Refused credentials are not sent over and over.
    let client = OciClient::new(as_user(registry.origin())).unwrap();
    let error = client.ping(&registry.origin()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(registry.seen().len(), 3);
}

/// A65: a token service on another origin gets no credentials.
#[tokio::test]
async fn a65_a_realm_elsewhere_gets_no_credentials() {
    let registry = Registry::start().await;
    let elsewhere = Registry::start().await;
    registry.tell(|script| {
        script.challenge = Some(format!(
            r#"Bearer realm="{}/token",service="s""#,
            elsewhere.origin()
        ));
        script.let_in = vec!["Bearer t".into()];
    });
    let options = as_user(registry.origin());
    let client = OciClient::new(options.clone()).unwrap();
    let error = client.ping(&registry.origin()).await.unwrap_err();
    assert!(
        matches!(error, ClientError::UntrustedRealm { .. }),
        "{error}"
    );
    assert!(
        elsewhere
            .seen()
            .iter()
            .all(|seen| seen.authorization.is_none())
    );
    // It may give a token to nobody in particular.
    elsewhere.tell(|script| script.token = Some(r#"{"access_token":"t"}"#));
    client.ping(&registry.origin()).await.unwrap();
    assert!(
        elsewhere
            .seen()
            .iter()
            .all(|seen| seen.authorization.is_none())
    );
    // Trusted by name, it gets them.
    let mut options = options;
    options.trusted_realms = vec![elsewhere.origin()];
    OciClient::new(options)
        .unwrap()
        .ping(&registry.origin())
        .await
        .unwrap();
    let last = elsewhere.seen().pop().unwrap();
    assert_eq!(last.authorization.as_deref(), Some(ANN));
}

/// A65: a redirect to another origin takes neither password nor token along.
#[tokio::test]
async fn a65_a_redirect_takes_no_credentials_along() {
    let registry = Registry::start().await;
    let elsewhere = Registry::start().await;
    let digest = elsewhere.hold(b"bytes");
    registry.tell(|script| {
        script.challenge = Some("Basic realm=r".into());
        script.let_in = vec![ANN.into()];
        script.redirect = Some(format!("{}/v2/team/app/blobs/{digest}", elsewhere.origin()));
    });
    let package = registry.package(as_user(registry.origin()));
    let chunks = package.blob(&digest, None).await.unwrap();
    let bytes: Vec<_> = chunks.try_collect().await.unwrap();
    assert_eq!(bytes.concat(), b"bytes");
    assert_eq!(
        registry.seen().last().unwrap().authorization.as_deref(),
        Some(ANN)
    );
    assert_eq!(elsewhere.seen().len(), 1);
    assert_eq!(elsewhere.seen()[0].authorization, None);
}

/// A65: what another registry knows is not for this one.
#[tokio::test]
async fn a65_credentials_of_another_registry_stay_there() {
    let registry = Registry::start().await;
    let other = Registry::start().await;
    registry.tell(|script| script.challenge = Some("Basic realm=r".into()));
    let client = OciClient::new(as_user(other.origin())).unwrap();
    assert!(client.ping(&registry.origin()).await.is_err());
    assert!(
        registry
            .seen()
            .iter()
            .all(|seen| seen.authorization.is_none())
    );
}

#[tokio::test]
async fn redirects_end() {
    let registry = Registry::start().await;
    let digest = registry.hold(b"x");
    for to in [
        "/v2/team/app/blobs/sha256:x",
        "",
        "ftp://a.example/",
        "http://[",
        "javascript:1",
    ] {
        registry.tell(|script| script.redirect = Some(to.into()));
        let error = registry
            .package(options())
            .blob(&digest, None)
            .await
            .unwrap_err();
        assert!(
            matches!(error, ClientError::Protocol { .. }),
            "{to}: {error}"
        );
    }
}

/// A token that does not reach far enough is a refusal, and not a question again.
#[tokio::test]
async fn a_narrow_token_is_a_refusal() {
    let registry = Registry::start().await;
    registry.tell(|script| {
        script.challenge = Some(format!(
            r#"Bearer realm="{}/token",service="s",error="insufficient_scope""#,
            registry.origin()
        ));
        script.token = Some(r#"{"token":"t"}"#);
    });
    let client = OciClient::new(as_user(registry.origin())).unwrap();
    let error = client.ping(&registry.origin()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    // Nothing of the credentials is in the message (A55).
    assert!(
        !error.to_string().contains("ann") && !format!("{error:?}").contains("pw"),
        "{error:?}"
    );
}
