use super::*;

/// What the kernel does with a frame.
fn takes(program: &[Step], frame: &[u8]) -> bool {
    let (mut at, mut loaded) = (0, 0);
    loop {
        let step = program[at];
        at += 1;
        match step.code {
            LOAD_BYTE => match frame.get(step.operand as usize) {
                Some(octet) => loaded = u32::from(*octet),
                None => return false,
            },
            RETURN => return step.operand != 0,
            JUMP_IF_EQUAL if loaded == step.operand => at += usize::from(step.jump_if_true),
            JUMP_IF_EQUAL => at += usize::from(step.jump_if_false),
            code => panic!("instruction {code}"),
        }
    }
}

#[test]
fn a_frame_passes_by_all_marks_of_one_line() {
    let program = program(&[[(0, 58), (1, 135)], [(0, 58), (1, 136)]]);
    assert!(takes(&program, &[58, 135]) && takes(&program, &[58, 136, 0]));
    assert!(!takes(&program, &[58, 128]) && !takes(&program, &[17, 135]));
    assert!(!takes(&program, &[58]), "too short");
}

#[test]
fn without_marks_there_is_no_program() {
    assert!(program::<2>(&[]).is_empty());
}
