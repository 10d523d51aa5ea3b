//! Whom to telephone for a step of the crisis protocol (先打电话): people first, messages never instead.

use crate::crisis::CrisisStep;
use crate::handover::{Post, Relation};

/// Somebody who is called: whoever is this to the student, or stands at this post now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callee {
    /// Everybody who is this to the student.
    Relation(Relation),
    /// Who stands at the post now, then the backup.
    Post(Post),
}

impl CrisisStep {
    /// Returns whom the step calls, the first to be tried first; nobody where the number is 110 or 120, or a family's.
    pub fn calls(self) -> &'static [Callee] {
        use Callee::{Post as At, Relation as Of};
        match self {
            Self::CallEmergency | Self::TellGuardian => &[],
            Self::Telephone => &[Of(Relation::Counselor), At(Post::DutyOffice)],
            Self::Acknowledge => &[At(Post::DutyOffice)],
            Self::TellSecretary => &[Of(Relation::Secretary), At(Post::CollegeDuty)],
            Self::TellPsychologist => &[At(Post::PsychologyNight), Of(Relation::Psychologist)],
            Self::TellSecurity => &[At(Post::SecurityOffice)],
            Self::OnSite => &[Of(Relation::Counselor), At(Post::CollegeDuty), At(Post::SecurityOffice)],
            Self::MedicalHandOver => &[At(Post::Hospital)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_with_a_limit_calls_somebody_but_the_emergency_numbers() {
        for step in CrisisStep::ALL.iter().filter(|it| it.limit_us(true).is_some()) {
            assert_eq!(step.calls().is_empty(), *step == CrisisStep::CallEmergency, "{step:?}");
        }
    }
}
