package netns

const setns = 268
