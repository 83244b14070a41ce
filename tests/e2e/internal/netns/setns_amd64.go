package netns

const setns = 308
