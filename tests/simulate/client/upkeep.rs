//! What the registry does for itself.

use artifact_core::{
    CollectOptions, Collected, Digest, Forget, Principal, RequestContext, Revision, ScrubOptions,
    Scrubbed,
};

use super::base::Client;
use crate::oracle::{Answer, Ask};

impl Client {
    pub(super) async fn collect(&self) {
        let mut options = CollectOptions::default();
        if self.memory.chance.one_in(4) {
            let head = self.place.oracle.head().get();
            let before = Revision::new(self.memory.chance.below(head + 1));
            options = options.forgetting(Forget {
                repository: None,
                before,
            });
        }
        self.collect_with(&options).await;
    }

    /// Collects, as the registry itself does.
    pub(crate) async fn collect_with(&self, options: &CollectOptions) -> Option<Collected> {
        let (request, session) = self.ask(Ask::Collect);
        let context = RequestContext::with_request(request.clone());
        let session = session.registry().session(Principal::System, context);
        let outcome = session.collect(options).await;
        self.tell(&request, outcome, |_| Answer::Done)
    }

    /// Purges something, mostly what no package has.
    pub(super) async fn purge(&self) {
        let goods = &self.place.goods;
        let oracle = &self.place.oracle;
        let is_free = |digest: &&Digest| {
            oracle.model(|model| !model.anybody_had(model.head, model.head, digest))
        };
        let rare = &self.memory.rare;
        let all: Vec<&Digest> = goods.contents.keys().collect();
        let free: Vec<&Digest> = goods.contents.keys().filter(is_free).collect();
        let among = if free.is_empty() || rare.one_in(4) {
            &all
        } else {
            &free
        };
        let digest = **rare.pick(among);
        let (request, session) = self.ask(Ask::Purge(digest));
        let context = RequestContext::with_request(request.clone());
        let session = session.registry().session(Principal::System, context);
        let outcome = session.purge(&digest).await;
        self.tell(&request, outcome, |()| Answer::Done);
    }

    pub(super) async fn scrub(&self) {
        let mut options = ScrubOptions::default();
        options.all = self.memory.chance.one_in(2);
        self.scrub_with(options).await;
    }

    pub(crate) async fn scrub_with(&self, options: ScrubOptions) -> Option<Scrubbed> {
        let (request, session) = self.ask(Ask::Scrub);
        let context = RequestContext::with_request(request.clone());
        let session = session.registry().session(Principal::System, context);
        let outcome = session.scrub(options, |_| {}).await;
        self.tell(&request, outcome, |_| Answer::Done)
    }
}
