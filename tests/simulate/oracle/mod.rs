//! What must be true, known outside of the engine: what was asked, what was answered, and what the
//! commits say; and the rules that tie the three together.

mod answer;
mod ask;
mod broken;
mod model;
mod on_answer;
mod on_commit;
mod on_refusal;
mod witness;

pub(crate) use answer::Answer;
pub(crate) use ask::Ask;
pub(crate) use model::Model;
pub(crate) use witness::Oracle;
