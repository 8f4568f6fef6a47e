//! What must be true, known outside of the engine: what was asked, what was answered, and what the
//! commits say; and the rules that tie the three together.

mod answer;
mod ask;
mod model;
mod on_answer;
mod on_commit;
mod on_refusal;
mod witness;

pub use answer::Answer;
pub use ask::Ask;
pub use model::Model;
pub use witness::Oracle;
