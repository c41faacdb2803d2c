// The controls that page.js uses, on one global: the pages are served as they are, the packages are built once.
import {Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, FluentProvider, Input,
  Radio, RadioGroup, Switch, webLightTheme} from '@fluentui/react-components';
import {createElement} from 'react';
import {createRoot} from 'react-dom/client';

globalThis.teamsControls = {Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle,
  FluentProvider, Input, Radio, RadioGroup, Switch, createElement, createRoot, webLightTheme};
