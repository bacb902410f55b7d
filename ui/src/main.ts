import './styles/tokens.css';
import './styles/base.css';
import './styles/components.css';
import './styles/app.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { chooseBackend } from './lib/backend';

const target = document.getElementById('app');
if (target) mount(App, { target, props: { backend: await chooseBackend() } });
